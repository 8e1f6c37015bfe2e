package step_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

var alive, aborted = machine.Execution{Running: true,
	Status: "RUNNING"}, machine.Execution{Status: "ABORTED"}

func TestSweep(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"a dead holder is recovered": func(t *testing.T) {
			w, _ := bakes(t)
			w.fates[two] = aborted

			time.Sleep(time.Hour)
			must[recovery.Report](t)(w.sweep())

			if len(w.executions) != 1 {
				t.Fatalf("started %v", w.executions)
			}
			// Its own event, and the next sweeps, do nothing more.
			for name := range w.executions {
				w.fates["arn:exec:"+name] = alive
			}

			must[recovery.Report](t)(w.died(two, "ABORTED", ""))
			must[recovery.Report](t)(w.sweep())

			if lock := w.lock(); len(w.executions) != 1 || lock.Holder.Recoveries != 1 {
				t.Errorf("started %v; %d recoveries", w.executions, lock.Holder.Recoveries)
			}
		},
		"an execution that was never heard of is dead too": func(t *testing.T) {
			w, _ := bakes(t)

			time.Sleep(time.Hour)
			must[recovery.Report](t)(w.sweep())

			if len(w.executions) != 1 {
				t.Errorf("started %v", w.executions)
			}
		},
		"what is young may be under way": func(t *testing.T) {
			w, _ := bakes(t)
			must[recovery.Report](t)(w.sweep())

			if len(w.executions) != 0 || len(w.writes) != 0 {
				t.Errorf("started %v, wrote %v", w.executions, w.writes)
			}
		},
		"a recovery that died before it had the lock is followed by another": func(t *testing.T) {
			w, _ := bakes(t)
			w.fates[two] = aborted

			time.Sleep(time.Hour)

			for range 5 {
				must[recovery.Report](t)(w.sweep())

				for name := range w.executions {
					w.fates["arn:exec:"+name] = aborted
				}
			}

			if len(w.executions) != recovery.Tries {
				t.Errorf("started %v", w.executions)
			}

			told := 0

			for _, entry := range w.record("v2").Events {
				if strings.HasPrefix(entry.Text, "stopped with the lock held") {
					told++
				}
			}

			if said := strings.Count(strings.Join(w.events, "\n"),
				"stopped with the lock held"); told != 1 || said != 1 {
				t.Errorf("told %d times, announced %d times", told, said)
			}
		},
		"an end that could not be announced is announced": func(t *testing.T) {
			for name, waits := range map[string][]string{"of one that waited": {"v3"},
				"of one that waited nowhere": nil} {
				w := parked(t, waits...)
				w.fates[two] = alive
				w.just("announce", func() { w.dead = true })

				if _, err := w.died("arn:exec:v3", "ABORTED", "", `{"release":"v3"}`); err == nil ||
					len(w.events) > 0 {
					t.Fatalf("%s: said %q: %v", name, w.events, err)
				}

				w.revive()
				time.Sleep(time.Hour)

				w.fates["arn:exec:v3"] = aborted
				for range 2 {
					must[recovery.Report](t)(w.sweep())
				}

				if lock := w.lock(); len(w.events) != 1 ||
					!strings.HasPrefix(w.events[0], "v3 Finish: v3 is refused") || len(lock.Queue)+
					len(lock.Notified) > 0 {
					t.Errorf("%s: said %q, left %+v and %+v", name, w.events, lock.Queue, lock.Notified)
				}
			}
		},
		"the dead are removed from the queue, and the next one is woken": func(t *testing.T) {
			w := parked(t, "v3", "v4")
			w.free()
			w.fates["arn:exec:v3"], w.fates["arn:exec:v4"] = alive, aborted
			must[recovery.Report](t)(w.sweep())

			if r := w.record("v4"); r.Outcome != sm.Refused || w.answered("v3").Next != sm.NextBegin {
				t.Errorf("v4 was %s; v3 was told %q", r.Outcome, w.answers["v3"])
			}

			w.revive()
			must[recovery.Report](t)(w.sweep())

			if len(w.writes) > 0 {
				t.Errorf("the second wrote %v", w.writes)
			}
		},
		"a lost schedule is made again": func(t *testing.T) {
			w, schedule := bakes(t)
			w.fates[two] = alive
			want := w.schedules[schedule]
			delete(w.schedules, schedule)
			time.Sleep(6 * time.Minute)
			must[recovery.Report](t)(w.sweep())

			if w.schedules[schedule] != want {
				t.Errorf("the bake ends %q, expected %q", w.schedules[schedule], want)
			}

			w.revive()
			must[recovery.Report](t)(w.sweep())

			if len(w.writes) > 0 {
				t.Errorf("the second wrote %v", w.writes)
			}
		},
		"a schedule that is overdue is wound again": func(t *testing.T) {
			w, schedule := bakes(t)
			w.fates[two] = alive

			time.Sleep(time.Hour)
			must[recovery.Report](t)(w.sweep())
			order(t, w.writes, "schedule "+schedule)
		},
		"a paused bake has no schedule": func(t *testing.T) {
			w, schedule := bakes(t)
			w.fates[two] = alive
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))
			w.revive()
			time.Sleep(time.Hour)
			must[recovery.Report](t)(w.sweep())

			if w.schedules[schedule] != "" || len(w.writes) > 0 {
				t.Errorf("wrote %v", w.writes)
			}
		},
	})
}
