package step_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

// bakes has v2 wait at 5 %, and gives the name of the schedule that ends the bake.
func bakes(t *testing.T) (w *world, schedule string) {
	w = newWorld(t)
	w.release(sm.CheckAlarms)

	schedule = w.record("v2").Wait.Schedule
	if w.schedules[schedule] != "ramp 2000-01-01T00:10:00Z" {
		t.Fatalf("the bake ends %q", w.schedules[schedule])
	}

	return w, schedule
}

// virtual runs each test in time of its own.
func virtual(t *testing.T, tests map[string]func(t *testing.T)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

func TestSignal_Alarm(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"stops the bake": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))

			if got := w.answers["ramp"]; got != "fail AlarmBreached: alarm errors-a: too many" {
				t.Errorf("the ramp was told %q", got)
			}
		},
		"is noted once": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))

			if n := len(w.record("v2").Signals); n != 1 {
				t.Errorf("noted %d times", n)
			}
		},
		"is kept where nobody waits": func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(sm.Probe)
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))
			doc = must[sm.Document](t)(w.run(sm.Probe, doc))
			_, err := w.run(sm.Ramp, doc)
			named(t, err, sm.AlarmBreached, "errors-a")

			if w.route.Weight != 0 {
				t.Errorf("the weight is %d", w.route.Weight)
			}
		},
		"of the fallback does not count": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.alarm("1", "errors-b", "ALARM"))
			w.untouched(t)
		},
		"of what events call counts once they call the release": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.alarm("1", "errors-live", "ALARM"))
			w.change(func(r *sm.Record) { now := time.Now(); r.Promoted = &now })
			must[step.SignalResult](t)(w.alarm("2", "errors-live", "ALARM")) // still that of before
			w.untouched(t)
			must[step.SignalResult](t)(w.alarm("3", "errors-live", "OK"))
			must[step.SignalResult](t)(w.alarm("4", "errors-live", "ALARM"))

			if got := w.answers["ramp"]; got != "fail AlarmBreached: alarm errors-live: too many" {
				t.Errorf("the ramp was told %q", got)
			}
		},
		"of what events call counts for what was after the promotion": func(t *testing.T) {
			w, _ := bakes(t)
			w.change(func(r *sm.Record) { now := time.Now(); r.Promoted = &now }) // 00:00:00

			for i, points := range []string{
				`{"timestamp":"1999-12-31T23:59:00.000+0000","value":0},{"timestamp":"1999-12-31T23:58:00.000+0000","value":9}`,
				`{"timestamp":"2000-01-01T00:01:00.000+0000"},{"timestamp":"1999-12-31T23:59:00.000+0000","value":9}`,
			} {
				must[step.SignalResult](t)(w.alarmFor(fmt.Sprint(i), "errors-live", points))
				w.untouched(t)
			}

			must[step.SignalResult](t)(w.alarmFor("3", "errors-live",
				`{"timestamp":"1999-12-31T23:59:00.000+0000","value":9},{"timestamp":"1999-12-31T23:59:30.000+0000","value":9}`))

			if got := w.answers["ramp"]; got != "fail AlarmBreached: alarm errors-live: too many" {
				t.Errorf("the ramp was told %q", got)
			}
		},
		"of what events call counts where it does not say what for": func(t *testing.T) {
			w, _ := bakes(t)
			w.change(func(r *sm.Record) { now := time.Now(); r.Promoted = &now })
			must[step.SignalResult](t)(w.alarmFor("1", "errors-live", ""))

			if w.answers["ramp"] == "" {
				t.Error("the ramp was not told")
			}
		},
		"of somebody else does not count": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.alarm("1", "blog-errors", "ALARM"))
			w.untouched(t)
		},
		"that rang before does not count, until it rings anew": func(t *testing.T) {
			w := newWorld(t)
			w.ringing = []string{"errors-a"}
			w.release(sm.CheckAlarms)
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))
			w.untouched(t)
			must[step.SignalResult](t)(w.alarm("2", "errors-a", "OK"))
			must[step.SignalResult](t)(w.alarm("3", "errors-a", "ALARM"))

			if w.answers["ramp"] == "" {
				t.Error("the ramp was not told")
			}
		},
		"from before the release comes late": func(t *testing.T) {
			w := newWorld(t)
			w.ringing = []string{"slow-a"}
			w.release(sm.CheckAlarms)

			past := time.Now().Add(-time.Minute)
			must[step.SignalResult](t)(w.signalAt(past, "1", "CloudWatch Alarm State Change",
				rings("errors-a", "ALARM")))
			must[step.SignalResult](t)(w.signalAt(past, "2", "CloudWatch Alarm State Change", rings("slow-a", "OK")))
			must[step.SignalResult](t)(w.signalAt(past, "3", sm.DetailOperator,
				sm.Operator{App: "shop", Action: sm.SignalRollback}))
			w.untouched(t)

			if got := w.record("v2").MutedAlarms; len(got) != 1 {
				t.Errorf("rang before: %q", got)
			}
		},
		"of the second in which the release began counts": func(t *testing.T) {
			time.Sleep(900 * time.Millisecond)

			w := newWorld(t)
			w.release(sm.CheckAlarms)
			must[step.SignalResult](t)(w.signalAt(time.Now().Truncate(time.Second), "1",
				"CloudWatch Alarm State Change", rings("errors-a", "ALARM")))

			if w.answers["ramp"] == "" {
				t.Error("the ramp was not told")
			}
		},
		"before the record is open is told again": func(t *testing.T) {
			w := newWorld(t)
			w.store(sm.LockKey, sm.Lock{Fence: 2, Holder: &sm.Holder{Release: "v2", Execution: two}})
			_, err := w.alarm("1", "errors-a", "ALARM")
			named(t, err, sm.StaleWrite, "v2")
			_, err = w.operator("2", sm.SignalRollback)
			named(t, err, sm.StaleWrite, "v2")

			if w.tags[sm.RecordKey("v2")] != 0 {
				t.Error("a record was made of it")
			}
		},
		"after the lock moved": func(t *testing.T) {
			w, _ := bakes(t)
			w.change(func(r *sm.Record) { r.Fence++ })
			_, err := w.alarm("1", "errors-a", "ALARM")
			named(t, err, sm.LockLost)
		},
		"after contract comes too late": func(t *testing.T) {
			w, _ := bakes(t)
			w.change(func(r *sm.Record) { r.Contracted = true })
			must[step.SignalResult](t)(w.alarm("1", "errors-a", "ALARM"))
			must[step.SignalResult](t)(w.operator("2", sm.SignalRollback))
			w.untouched(t)
		},
		"with nothing under way": func(t *testing.T) {
			w := newWorld(t)
			if said := must[step.SignalResult](t)(w.alarm("1", "errors-a",
				"ALARM")); said.Text != "no release is under way" || len(w.writes) > 0 {
				t.Errorf("said %q, wrote %q", said, w.writes)
			}
		},
	})
}

// alarmFor rings an alarm for some datapoints, as CloudWatch does.
func (w *world) alarmFor(id, name, datapoints string) (step.SignalResult, error) {
	return w.signal(id, "CloudWatch Alarm State Change",
		map[string]any{"alarmName": name, "state": map[string]string{"value": "ALARM",
			"reason": "too many",
			"reasonData": `{"version":"1.0","period":60,"threshold":5.0,"evaluatedDatapoints":[` +
				datapoints + `]}`}})
}

func rings(name, state string) any {
	return map[string]any{"alarmName": name, "state": map[string]string{"value": state,
		"reason": "too many"}}
}

// untouched fails the test where a signal that must not count did.
func (w *world) untouched(t *testing.T) {
	t.Helper()

	if r := w.record("v2"); len(r.Signals) > 0 || w.answers["ramp"] != "" {
		t.Errorf("noted %v, answered %q", r.Signals, w.answers["ramp"])
	}
}

func TestSignal_Operator(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"rolls back": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.signal("1", sm.DetailOperator,
				sm.Operator{App: "shop", Release: "v2", Action: sm.SignalRollback, Reason: "it is ugly"}))

			if got := w.answers["ramp"]; got != "fail OperatorRollback: the operator asked for it: it is ugly" {
				t.Errorf("the ramp was told %q", got)
			}
		},
		"ends a bake": func(t *testing.T) {
			w, schedule := bakes(t)
			must[step.SignalResult](t)(w.operator("1", sm.SignalAdvance))

			if doc := w.answered("ramp"); !doc.Waived || doc.Weight != 500 || w.schedules[schedule] != "" {
				t.Errorf("went on with %+v, schedule %q", doc, w.schedules[schedule])
			}
		},
		"approves what it could see": func(t *testing.T) {
			w := newWorld(t)
			w.settings.Ramp.Steps = []sm.RampStep{{Percent: 5, Bake: sm.Duration(time.Minute)},
				{Percent: 25, Bake: sm.Duration(time.Minute), Approval: true}, {Percent: 100,
					Bake: sm.Duration(time.Minute), Approval: true}}
			doc := w.release(sm.CheckAlarms)
			doc.Verdict = sm.Healthy
			must[sm.Document](t)(w.ramp("second", doc))

			seen := time.Now().UTC()

			time.Sleep(time.Minute)
			must[step.SignalResult](t)(w.operator("1", sm.SignalApprove))
			must[sm.Document](t)(w.ramp("checked", w.answered("second")))
			doc = w.answered("checked")
			doc.Verdict = sm.Healthy
			must[sm.Document](t)(w.ramp("taken", doc))
			time.Sleep(time.Minute)

			doc = w.record("v2").Wait.Document
			doc.Verdict = sm.Healthy
			must[sm.Document](t)(w.ramp("third", doc))
			// Somebody else approved the second step as well, and it comes only now.
			must[step.SignalResult](t)(w.signalAt(seen.Add(time.Minute), "2", sm.DetailOperator,
				sm.Operator{App: "shop", Action: sm.SignalApprove}))

			if r := w.record("v2"); w.answers["third"] != "" || r.ApprovedStep() != 2 {
				t.Errorf("the third step was approved by a word about the second: %q, %+v", w.answers["third"],
					r.Signals)
			}

			time.Sleep(time.Minute)
			must[step.SignalResult](t)(w.operator("3", sm.SignalApprove))

			if w.answers["third"] == "" {
				t.Error("the third step was approved, and waits")
			}
		},
		"speaks of another": func(t *testing.T) {
			w, _ := bakes(t)
			must[step.SignalResult](t)(w.signal("1", sm.DetailOperator,
				sm.Operator{App: "shop", Release: "v1", Action: sm.SignalRollback}))
			must[step.SignalResult](t)(w.signal("2", sm.DetailOperator,
				sm.Operator{App: "blog", Action: sm.SignalRollback}))
			w.untouched(t)
		},
		"says nonsense": func(t *testing.T) {
			w, _ := bakes(t)
			for detail, says := range map[string]string{`{"app":"shop","action":"stop"}`: `detail.action: found "stop", expected pause`, `{"app":"shop","verb":"pause"}`: "detail.verb"} {
				_, err := (&step.Signal{Ledger: w.book(), Settings: w.settings}).Run(t.Context(),
					machine.Event{ID: "e7", DetailType: sm.DetailOperator, Detail: []byte(detail)})
				if err == nil || !strings.Contains(err.Error(), "event e7: ") ||
					!strings.Contains(err.Error(), says) {
					t.Errorf("%s: found %v, expected the event and %q", detail, err, says)
				}
			}

			if _, err := w.signal("1", "Scheduled Event", nil); err == nil ||
				!strings.Contains(err.Error(), `detail-type: found "Scheduled Event"`) {
				t.Errorf("found %v", err)
			}

			w.untouched(t)
		},
	})
}

func TestSignal_PauseAndResume(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"keep the time that was left": func(t *testing.T) {
			w, schedule := bakes(t)

			time.Sleep(4 * time.Minute)
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))

			if w.schedules[schedule] != "" || w.record("v2").Wait.Paused == nil {
				t.Errorf("paused, but the bake ends %q", w.schedules[schedule])
			}

			time.Sleep(time.Hour)
			must[step.SignalResult](t)(w.operator("2", sm.SignalResume))

			// 4 min + 1 h + the 6 min that were left
			if got := w.schedules[schedule]; got != "ramp 2000-01-01T01:10:00Z" {
				t.Errorf("resumed, the bake ends %q", got)
			}
		},
		"told again change nothing": func(t *testing.T) {
			w, schedule := bakes(t)
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))
			must[step.SignalResult](t)(w.operator("2", sm.SignalResume))
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))

			if w.schedules[schedule] == "" || w.record("v2").Wait.Paused != nil {
				t.Error("an old pause came late and counts")
			}

			must[step.SignalResult](t)(w.operator("3", sm.SignalPause))
			must[step.SignalResult](t)(w.operator("2", sm.SignalResume))

			if w.schedules[schedule] != "" || w.record("v2").Wait.Paused == nil {
				t.Error("an old resume came late and counts")
			}
		},
		"without a bake are for the next": func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(sm.Ramp)
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))
			must[sm.Document](t)(w.run(sm.Ramp, doc))

			if w.record("v2").Wait.Paused == nil || len(w.schedules) > 0 {
				t.Errorf("not paused: %v", w.schedules)
			}

			if w.route.Weight != 0 || w.record("v2").HeldBy() != sm.HeldByOperator {
				t.Errorf("paused, the weight became %d, held is %+v", w.route.Weight, w.record("v2").Held)
			}

			must[step.SignalResult](t)(w.operator("2", sm.SignalResume))
			must[sm.Document](t)(w.ramp("resumed", w.answered("ramp")))

			if len(w.schedules) != 1 || w.route.Weight != 500 || w.record("v2").Held != nil {
				t.Errorf("resumed, the weight is %d, held is %+v", w.route.Weight, w.record("v2").Held)
			}
		},
		"come in the wrong order": func(t *testing.T) {
			w, schedule := bakes(t)
			began := time.Now().UTC()
			say := func(id string, after time.Duration, word sm.SignalKind) {
				must[step.SignalResult](t)(w.signalAt(began.Add(after), id, sm.DetailOperator,
					sm.Operator{App: "shop", Action: word}))
			}

			time.Sleep(4 * time.Minute)
			say("2", 2*time.Minute, sm.SignalResume)
			say("1", time.Minute, sm.SignalPause)

			if w.schedules[schedule] == "" || w.record("v2").Wait.Paused != nil {
				t.Error("resumed a minute after it was paused, it is paused")
			}

			say("4", 4*time.Minute, sm.SignalPause)
			say("3", 3*time.Minute, sm.SignalResume)

			if w.schedules[schedule] != "" || w.record("v2").Wait.Paused == nil {
				t.Error("paused a minute after it was resumed, it goes on")
			}
		},
		"pause just before the ramp sets its schedule": func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(sm.Ramp)
			w.just("schedule", func() { must[step.SignalResult](t)(w.operator("1", sm.SignalPause)) })
			must[sm.Document](t)(w.run(sm.Ramp, doc))

			if w.record("v2").Wait.Paused == nil || len(w.schedules) > 0 {
				t.Errorf("paused, but the bake ends %v", w.schedules)
			}
		},
		"resume just before a pause cancels": func(t *testing.T) {
			w, schedule := bakes(t)
			w.just("cancel", func() { must[step.SignalResult](t)(w.operator("2", sm.SignalResume)) })
			must[step.SignalResult](t)(w.operator("1", sm.SignalPause))

			if w.record("v2").Wait.Paused != nil || w.schedules[schedule] == "" {
				t.Error("resumed, but nothing ends the bake")
			}
		},
	})
}

// just does something right before the next write of a kind.
func (w *world) just(before string, do func()) {
	w.meanwhile = func(write string) {
		if strings.HasPrefix(write, before) {
			w.meanwhile = nil

			do()
		}
	}
}

func TestSignal_AdvanceToldAgain_IsNotAboutTheNextBake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := bakes(t)
		must[step.SignalResult](t)(w.operator("1", sm.SignalAdvance))
		doc := must[sm.Document](t)(w.run(sm.CheckAlarms, w.answered("ramp")))
		must[sm.Document](t)(w.ramp("next", doc))
		must[step.SignalResult](t)(w.operator("1", sm.SignalAdvance))

		if got := w.answers["next"]; got != "" {
			t.Errorf("the next bake was answered %q", got)
		}
	})
}

// The word comes between Ramp's look at the record and its own write, when there is no token to
// answer.
func TestSignal_PromoteWhileRampSetsTheWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Ramp)
		w.just("route", func() { must[step.SignalResult](t)(w.operator("1", sm.SignalPromote)) })
		must[sm.Document](t)(w.run(sm.Ramp, doc))
		doc = must[sm.Document](t)(w.run(sm.CheckAlarms, w.answered("ramp")))
		must[sm.Document](t)(w.ramp("next", doc))

		if w.route.Weight != sm.FullWeight || !w.answered("next").Waived {
			t.Errorf("the weight is %d", w.route.Weight)
		}
	})
}
