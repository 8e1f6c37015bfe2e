package functions_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// deaf lets no event of an execution's end come through, as where EventBridge gave up on it.
func (w *world) deaf(deaf bool) {
	w.t.Helper()

	rule := "lockstep-" + app + "-dead"
	if err := w.stack.Cloud.Events.Enable(rule, !deaf); err != nil {
		w.t.Fatal(err)
	}
}

// The event of its end is lost: the sweep finds it.
func TestSweep_FindsTheDead(t *testing.T) {
	for name, stopped := range map[string]func(w *world, stop func()){
		"at 25 %":  func(w *world, stop func()) { w.bakes("v2", 2500); stop() },
		"in drain": func(w *world, stop func()) { w.reaches("OldTabsOpen"); stop() },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				stopped(w, func() { w.deaf(true); w.stop("v2") })
				w.ends("v2", sm.RolledBack)
				w.stands("a", "v1", "v1")
				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.stands("b", "v1", "v3")
			})
		})
	}
}

func TestSweep_FindsTheDead_InContract(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.after(sm.Contract, func() { w.deaf(true); w.stop("v2"); time.Sleep(time.Second) })
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// The recovery dies as well, before and after it has the lock, and nobody hears of any of it.
func TestSweep_FindsDeadRecoveries(t *testing.T) {
	for name, moment := range map[string]func(w *world, stop func()){
		"before it has the lock": func(w *world, stop func()) { w.before(sm.Begin, stop) },
		"when it has the lock":   func(w *world, stop func()) { w.before(sm.Rollback, stop) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)
				w.deaf(true)
				moment(w, func() { w.stop("v2"); time.Sleep(time.Second) })
				w.stop("v2")
				w.ends("v2", sm.RolledBack)
				w.stands("a", "v1", "v1")
			})
		})
	}
}

func TestSweep_TakesTheDeadOutOfTheQueue(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)
		w.deaf(true)
		w.stop("v3")
		w.ends("v2", sm.Released)
		w.eventually(
			"v3 has ended", time.Hour, func() bool { return w.record("v3").Outcome == sm.Refused })
		w.stands("b", "v1", "v2")
	})
}

// Who was told something in the queue dies before it does as it was told, and nobody hears of it.
func TestSweep_FindsWhoDiedWhenItWasTold(t *testing.T) {
	for name, told := range map[string]func(w *world, dies func(sm.Task)){
		"that it is superseded": func(w *world, dies func(sm.Task)) { dies(sm.Finish); w.merge(w.release("v4", 4, everything)) },
		"to ask for the lock": func(w *world, dies func(sm.Task)) {
			w.before(sm.Finish,
				func() { dies(sm.Begin) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)
				w.merge(w.release("v3", 3, everything))
				time.Sleep(10 * time.Second)
				w.deaf(true)
				told(w, func(at sm.Task) {
					w.before(at, func() {
						w.dies(at, 1, manner{before: true})
						w.stop("v3")
						time.Sleep(time.Second)
					})
				})
				w.ends("v2", sm.Released)
				w.ends("v3", sm.Refused)
			})
		})
	}
}

// The schedule that would end a bake is deleted in the console.
func TestSweep_WindsTheClockAgain(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 2500)

		lost := w.clock()
		if _, err := scheduler.NewFromConfig(w.config).DeleteSchedule(w.t.Context(),
			&scheduler.DeleteScheduleInput{Name: &lost.Name, GroupName: &lost.GroupName}); err != nil {
			t.Fatal(err)
		}

		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

// In a freeze only whose turn it is has a clock. It dies, and nobody hears of the end of the
// freeze: whoever follows on it begins all the same.
func TestSweep_FindsWhoWaitsForTheEndOfAFreeze(t *testing.T) {
	for name, lost := range map[string]func(w *world){
		"the one before it died": func(w *world) { w.stop("v3") },
		"its clock was deleted": func(w *world) {
			w.stop("v4")

			lost := w.stack.Cloud.Scheduler.List()[0]
			if _, err := scheduler.NewFromConfig(w.config).DeleteSchedule(w.t.Context(),
				&scheduler.DeleteScheduleInput{Name: &lost.Name, GroupName: &lost.GroupName}); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()

				if err := w.stack.Cloud.Events.PutRule(events.Rule{Name: "lockstep-shop-freeze", Disabled: true,
					Pattern: `{"source":["aws.ssm"]}`}); err != nil {
					t.Fatal(err)
				}

				w.second()
				w.bakes("v2", 10000)
				w.merge(w.release("v3", 3, everything))
				w.merge(w.release("v4", 4, everything))
				w.reaches("OldTabsOpen")
				w.freeze("holidays")
				w.ends("v2", sm.Released)
				time.Sleep(time.Hour)
				lost(w)
				time.Sleep(time.Hour)
				w.freeze("off")
				left := map[bool]string{true: "v3", false: "v4"}[w.running("v3")]
				w.ends(left, sm.Released)
				w.stands("a", left, "v2")
			}, func(o *stack.Options) { o.Queue = sm.InTurn })
		})
	}
}
