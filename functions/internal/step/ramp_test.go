package step_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

func TestRamp_Steps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Ramp)
		must[sm.Document](t)(w.ramp("first", doc))

		if w.route != (sm.Route{Active: sm.A, Fallback: sm.B, Weight: 500, Release: "v2",
			Preview: w.preview()}) {
			t.Errorf("the route is %+v", w.route)
		}

		r := w.record("v2")
		if r.Weight != 500 || r.Wait.TaskToken != "first" || r.Wait.Document.Step != 1 ||
			w.answers["first"] != "" {
			t.Errorf("found the record %+v", r)
		}

		order(t, w.writes, "route a 500", "announce", "schedule")

		// Its retry has a newer token, which takes the place of the older one, in the record and in the
		// schedule.
		must[sm.Document](t)(w.ramp("retried", doc))

		if len(w.schedules) != 1 || !strings.HasPrefix(w.schedules[r.Wait.Schedule], "retried ") ||
			w.record("v2").Wait.TaskToken != "retried" || w.route.Weight != 500 {
			t.Errorf("schedules %v, the weight is %d", w.schedules, w.route.Weight)
		}

		doc = w.record("v2").Wait.Document
		doc.Verdict = sm.Healthy

		next := must[sm.Document](t)(w.ramp("second", doc))
		// the first was cancelled, since it was not over
		if next.Step != 2 || next.Weight != sm.FullWeight || next.Verdict != "" ||
			w.route.Weight != sm.FullWeight || len(w.schedules) != 1 {
			t.Errorf("found %+v, the weight is %d", next, w.route.Weight)
		}
	})
}

func TestRamp_Next(t *testing.T) {
	plan := sm.RampPlan{MaxExtensions: 2, Steps: []sm.RampStep{
		{Percent: 5, Bake: sm.Duration(time.Minute)}, {Percent: 25,
			Bake: sm.Duration(2 * time.Minute)}, {Percent: 100, Bake: sm.Duration(time.Hour)}}}
	for name, c := range map[string]struct {
		doc        sm.Document
		signal     sm.SignalKind
		rollBack   bool
		step       int
		weight     int
		extensions int
		bake       time.Duration
		text       string
		err        string
	}{
		"the first": {step: 1, weight: 500, bake: time.Minute,
			text: "5 % of the viewers for 1m0s"},
		"the next": {doc: sm.Document{Step: 1, Weight: 500, Verdict: sm.Healthy,
			Extensions: 1}, step: 2, weight: 2500, bake: 2 * time.Minute, text: "25 % of the viewers for 2m0s"},
		"never falls": {doc: sm.Document{Step: 1, Weight: 3000, Verdict: sm.Healthy}, step: 2,
			weight: 3000, bake: 2 * time.Minute, text: "30 % of"},
		"beyond the last": {doc: sm.Document{Step: 3, Weight: 10000, Verdict: sm.Healthy}, step: 4,
			weight: 10000, text: "100 % of"},
		"without a verdict": {doc: sm.Document{Step: 2, Weight: 2500, Verdict: sm.Inconclusive,
			Extensions: 1}, step: 2, weight: 2500, extensions: 2, bake: 2 * time.Minute, text: "25 % for another 2m0s"},
		"without end": {doc: sm.Document{Step: 2, Weight: 2500, Verdict: sm.Inconclusive,
			Extensions: 2}, step: 2, weight: 2500, extensions: 2, bake: 2 * time.Minute, text: "held for the operator"},
		"without end, and back": {doc: sm.Document{Step: 2, Weight: 2500, Verdict: sm.Inconclusive,
			Extensions: 2}, rollBack: true, err: "no verdict at 25 % after 2 extensions"},
		"promoted": {doc: sm.Document{Step: 1, Weight: 500, Verdict: sm.Inconclusive},
			signal: sm.SignalPromote, step: 3, weight: 10000, text: "100 % by the operator's word"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &step.Ramp{Settings: sm.Settings{Ramp: plan}}
			if c.rollBack {
				r.Settings.Ramp.OnInconclusive = sm.RollBackUnsure
			}

			var record sm.Record
			if c.signal != "" {
				record.Signals = []sm.ReceivedSignal{{ID: "1", Kind: c.signal}}
			}

			next, bake, text, err := r.Next(c.doc, record)
			if c.err != "" {
				named(t, err, sm.NoVerdict, c.err)
				return
			}

			if err != nil || next.Step != c.step || next.Weight != c.weight ||
				next.Extensions != c.extensions || bake != c.bake || !strings.Contains(text, c.text) ||
				next.Waived {
				t.Errorf("found %+v for %s, %q (%v)", next, bake, text, err)
			}
		})
	}
}

func TestRamp_HeldForTheOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.CheckAlarms)
		doc.Verdict, doc.Extensions = sm.Inconclusive, 1
		w.schedules = map[string]string{}
		must[sm.Document](t)(w.ramp("held", doc))

		if len(w.schedules) > 0 || w.record("v2").Wait.Paused == nil {
			t.Errorf("held, but the bake ends %v", w.schedules)
		}

		must[step.SignalResult](t)(w.operator("1", sm.SignalAdvance))

		if !w.answered("held").Waived {
			t.Error("the operator's word is not in the document")
		}
	})
}

// A bake that is prolonged is one bake: did each extension count anew, at low traffic none would
// ever have enough calls. A stale attempt must not put its bake, with a token that is used
// up, in the place of the next one's.
func TestRamp_AskedAgain_KeepsTheLaterToken(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Probe)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := sm.Attempt{Entered: at}
	next := must[sm.Document](t)(w.rampAsked(first, "first", doc))
	must[sm.Document](t)(w.rampAsked(sm.Attempt{Entered: at.Add(time.Minute)}, "second", next))

	before, route := w.record("v2"), w.route
	if _, err := w.rampAsked(first, "first", doc); sm.Name(err) != sm.StaleWrite {
		t.Errorf("got %v", err)
	}

	if r := w.record("v2"); r.Wait == nil || r.Wait.TaskToken != "second" ||
		r.Weight != before.Weight || w.route != route {
		t.Errorf("found the bake %+v at %d, the route %+v", r.Wait, r.Weight, w.route)
	}
}

func TestRamp_ProlongedBake_CountsFromItsBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc, began := w.release(sm.CheckAlarms), time.Now()

		time.Sleep(10 * time.Minute)

		w.requests[sm.A] = 6 // in the last minute of each ten; 10 are needed
		doc = must[sm.Document](t)(w.run(sm.CheckAlarms, doc))
		must[sm.Document](t)(w.ramp("longer", doc))

		if wait := w.record("v2").Wait; !wait.Since.Equal(began) ||
			!wait.Until.Equal(began.Add(20*time.Minute)) {
			t.Errorf("after %s it bakes from %s until %s, expected from %s", doc.Verdict, wait.Since,
				wait.Until, began)
		}

		doc.Verdict, doc.Extensions = sm.Healthy, 1
		must[sm.Document](t)(w.ramp("next", doc))

		if wait := w.record("v2").Wait; !wait.Since.Equal(time.Now()) {
			t.Errorf("the next step bakes from %s", wait.Since)
		}
	})
}

func TestCheckAlarms(t *testing.T) {
	for name, c := range map[string]struct {
		world   func(*world)
		doc     func(*sm.Document)
		verdict sm.Verdict
		says    string
	}{
		"healthy": {verdict: sm.Healthy, says: "healthy at 5 %"},
		"an alarm of active": {world: func(w *world) { w.ringing = []string{"slow-a"} },
			verdict: sm.Breached, says: "slow-a rings"},
		"of the fallback": {world: func(w *world) { w.ringing = []string{"errors-b"} },
			verdict: sm.Healthy, says: "healthy"},
		"no calls": {world: func(w *world) { w.requests[sm.A] = 0 }, verdict: sm.Inconclusive,
			says: "no data is never healthy"},
		"too few, and waived": {world: func(w *world) { w.requests[sm.A] = 1 },
			doc: func(d *sm.Document) { d.Waived = true }, verdict: sm.Healthy, says: "not judged at 5 %, since the operator does not wait for more: 1 calls"},
		"waived, but ringing": {world: func(w *world) { w.ringing = []string{"slow-a"} },
			doc: func(d *sm.Document) { d.Waived = true }, verdict: sm.Breached, says: "slow-a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(sm.CheckAlarms)
				time.Sleep(w.settings.Ramp.Steps[0].Bake.Std())

				if c.world != nil {
					c.world(w)
				}

				if c.doc != nil {
					c.doc(&doc)
				}

				doc = must[sm.Document](t)(w.run(sm.CheckAlarms, doc))
				if said := w.events[len(w.events)-1]; doc.Verdict != c.verdict ||
					!strings.Contains(said, c.says) || (doc.Failure != nil) != (c.verdict == sm.Breached) {
					t.Errorf("found %s, %v, %q", doc.Verdict, doc.Failure, said)
				}
			})
		})
	}
}

// TestInterruption has a word arrive while nobody waits: the next step reads it and writes nothing.
func TestInterruption(t *testing.T) {
	for _, task := range []sm.Task{sm.Expand, sm.Ramp, sm.CheckAlarms, sm.Promote, sm.Drain,
		sm.Contract} {
		t.Run(string(task), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(task)
				must[step.SignalResult](t)(w.operator("1", sm.SignalRollback))
				w.revive()
				_, err := w.run(task, doc)
				named(t, err, sm.OperatorRollback, "the operator asked for it")

				for _, write := range w.writes {
					if !strings.HasPrefix(write, "ledger ledger/releases/") && write != "ledger ledger/lock.json" {
						t.Errorf("wrote %q", write)
					}
				}

				if w.record("v2").Contracted {
					t.Error("the point of no return was passed")
				}
			})
		})
	}
}

func TestPromote_RouteBeforeRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Promote)
		doc = must[sm.Document](t)(w.run(sm.Promote, doc))
		order(t, w.writes, "route b 0", "roles b", "announce")

		if !doc.Promoted || doc.Active != sm.A || w.control != (sm.Control{Active: sm.B,
			Fallback: sm.A}) || w.record("v2").Promoted == nil {
			t.Errorf("found %+v, roles %+v", doc, w.control)
		}
	})
}

func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		after   time.Duration
		calls   float64
		first   bool
		drained bool
		wait    int
	}{
		"at once":                 {after: 0, wait: 60},
		"quiet, but not for long": {after: 17 * time.Minute, wait: 60},
		"quiet":                   {after: 18 * time.Minute, drained: true, wait: 60},
		"still called":            {after: 15 * time.Minute, calls: 3, wait: 60},
		"called for a day":        {after: 24 * time.Hour, calls: 3, drained: true, wait: 60},
		"the first, at once":      {first: true, wait: 60},
		"the first, edges know":   {after: 90 * time.Second, first: true, drained: true, wait: 60},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := must[sm.Document](t)(w.run(sm.Promote, w.release(sm.Promote)))
				doc.First, w.requests[sm.B] = c.first, c.calls
				time.Sleep(c.after)

				doc = must[sm.Document](t)(w.run(sm.Drain, doc))
				if doc.Drained != c.drained || doc.WaitSeconds > c.wait || doc.WaitSeconds < 1 {
					t.Errorf("drained is %v, it waits %d s", doc.Drained, doc.WaitSeconds)
				}
			})
		})
	}
}

// An outage of CloudWatch is no fault of the release, and no quiet either.
func TestDrain_MetricsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := must[sm.Document](t)(w.run(sm.Promote, w.release(sm.Promote)))

		time.Sleep(time.Hour)

		w.unread = errors.New("CloudWatch is out")

		told := len(w.events)
		for range 3 {
			if doc = must[sm.Document](t)(w.run(sm.Drain, doc)); doc.Drained || doc.WaitSeconds < 1 {
				t.Errorf("nobody knows whether it is quiet: drained is %v, it waits %d s", doc.Drained,
					doc.WaitSeconds)
			}

			time.Sleep(time.Duration(doc.WaitSeconds) * time.Second)
		}

		if said := w.events[told:]; len(said) != 1 || !strings.Contains(said[0], "CloudWatch is out") {
			t.Errorf("it was told %q, expected once why it waits", said)
		}

		seen := doc

		w.unread = nil
		if doc = must[sm.Document](t)(w.run(sm.Drain, doc)); !doc.Drained {
			t.Error("it has been quiet, and is not drained")
		}

		w.unread = errors.New("CloudWatch is out")

		time.Sleep(24 * time.Hour)

		if _, err := w.run(sm.Drain, seen); err == nil {
			t.Error("a day without metrics is no drain")
		}
	})
}

// A history has room for 25,000 events, of which the ramp may have taken 700 bakes of 15; each
// look takes nine.
func TestDrain_OfAMonth_FitsIntoAHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.settings.Drain.AtMost = sm.Duration(30 * 24 * time.Hour)
		doc := must[sm.Document](t)(w.run(sm.Promote, w.release(sm.Promote)))
		w.requests[sm.B] = 3

		looks := 0
		for ; !doc.Drained; looks++ {
			time.Sleep(time.Duration(doc.WaitSeconds) * time.Second)
			doc = must[sm.Document](t)(w.run(sm.Drain, doc))
		}

		if looks*9 > 25_000-700*15-1_000 {
			t.Errorf("looked %d times", looks)
		}
	})
}

func TestContract_MarksTheRecordFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Contract)
		w.just("sql", func() {
			if !w.record("v2").Contracted {
				t.Error("the first statement ran before the record said that there is no way back")
			}
		})
		must[sm.Document](t)(w.run(sm.Contract, doc))
		order(t, w.writes, "sql contract v2", "announce")
	})
}

func TestContract_WaitsForOldClientsOfTheDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		busy      int
		promoted  time.Duration // before now
		meanwhile func(w *world)
		named     string
		waits     time.Duration
		says      string
	}{
		"none": {says: "sessions of v1; the schema is only for v2 now"},
		"for a while": {busy: 3, waits: 15 * time.Second,
			says: "sessions of v1; the schema is only for v2 now"},
		"longer than a Lambda": {busy: 1000, waits: 10 * time.Minute, named: sm.Unfinished},
		"longer than it may": {busy: 1000, promoted: 25 * time.Hour,
			says: "sessions of v1, but 24h0m0s have passed; the schema"},
		"until a rollback": {busy: 1000, waits: time.Minute, named: sm.OperatorRollback,
			meanwhile: func(w *world) { must[step.SignalResult](w.t)(w.operator("1", sm.SignalRollback)) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(sm.Contract)
				w.oldClients = c.busy
				time.Sleep(c.promoted)

				if c.meanwhile != nil {
					time.AfterFunc(time.Minute, func() { c.meanwhile(w) })
				}

				began := time.Now()
				_, err := w.run(sm.Contract, doc)

				if took := time.Since(began); took < c.waits || took > c.waits+2*step.ClientsLook {
					t.Errorf("waited %v, expected %v", took, c.waits)
				}

				r := w.record("v2")
				if c.named != "" {
					named(t, err, c.named)
				} else if said := r.Events[len(r.Events)-1].Text; err != nil ||
					!strings.HasPrefix(said, c.says) {
					t.Errorf("said %q, %v", said, err)
				}

				if r.Contracted != (c.named == "") || w.schema["v2 contracted"] != r.Contracted {
					t.Errorf("the record says contracted %t, the schema %t", r.Contracted,
						w.schema["v2 contracted"])
				}
			})
		})
	}
}

// A word that comes while Contract marks the record either counts or is told that it is too late.
func TestContract_RacesWithARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Contract)
		entered := false
		w.meanwhile = func(write string) {
			if strings.HasPrefix(write, "ledger ledger/releases") {
				if entered {
					w.meanwhile = nil
					must[step.SignalResult](t)(w.operator("1", sm.SignalRollback))
				}

				entered = true
			}
		}
		_, err := w.run(sm.Contract, doc)
		named(t, err, sm.OperatorRollback)

		if r := w.record("v2"); r.Contracted || w.schema["v2 contracted"] {
			t.Errorf("found the record %+v", r)
		}
	})
}

func TestSchema_Errors(t *testing.T) {
	unfinished := sm.Errorf(sm.Unfinished, "12 rows left")
	for name, c := range map[string]struct {
		task    sm.Task
		outcome sm.Outcome
		err     error
		named   string
	}{
		"expand":               {sm.Expand, "", errors.New("syntax error"), sm.ExpandFailed},
		"expand, unreachable":  {sm.Expand, "", sm.Errorf(sm.Unreachable, "it restarts"), sm.Unreachable},
		"expand, unfinished":   {sm.Expand, "", unfinished, sm.Unfinished},
		"undo":                 {sm.Expand, sm.RolledBack, errors.New("syntax error"), sm.RollbackFailed},
		"undo, unfinished":     {sm.Expand, sm.RolledBack, unfinished, sm.Unfinished},
		"contract":             {sm.Contract, "", errors.New("syntax error"), sm.ContractFailed},
		"contract, unfinished": {sm.Contract, "", unfinished, sm.Unfinished},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)

				at := c.task
				if c.outcome != "" {
					at = sm.Deploy
				}

				doc := w.release(at)
				doc.Outcome, w.schemaErr = c.outcome, c.err
				_, err := w.run(c.task, doc)
				named(t, err, c.named)

				if r := w.record("v2"); !r.Expanded {
					t.Errorf("there may be something to undo, but the record is %+v", r)
				}
			})
		})
	}
}

// Who lost the lock after it entered its step does not change the schema under its successor.
func TestSchema_ChangedUnderANewerFence_IsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		at, task sm.Task
		outcome  sm.Outcome
	}{
		"expand":   {sm.Expand, sm.Expand, ""},
		"undo":     {sm.Deploy, sm.Expand, sm.RolledBack},
		"contract": {sm.Contract, sm.Contract, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(c.at)
				doc.Outcome, w.schemaFence = c.outcome, w.book().Lease(sm.Document{Fence: doc.Fence + 1}).SchemaToken()
				before := maps.Clone(w.schema)
				_, err := w.run(c.task, doc)
				named(t, err, sm.LockLost)

				if !maps.Equal(before, w.schema) {
					t.Errorf("the schema was %v, and is %v", before, w.schema)
				}
			})
		})
	}
}

// A stale Expand has looked at everything when the rollback undoes what it did: only the
// database can stop it.
func TestSchema_UndoneByARollback_IsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Deploy)
		back := doc
		back.Outcome = sm.RolledBack
		must[sm.Document](t)(w.run(sm.Expand, back))
		before := maps.Clone(w.schema)
		_, err := w.run(sm.Expand, doc)
		named(t, err, sm.LockLost)

		if !maps.Equal(before, w.schema) {
			t.Errorf("the schema was %v, and is %v", before, w.schema)
		}
	})
}
