package step_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

// held is the document of a release that waits at 5 % for the approval of its second step.
func held(w *world) sm.Document {
	w.settings.Ramp.Steps[1].Approval = true
	doc := w.release(sm.CheckAlarms)
	doc.Verdict = sm.Healthy
	must[sm.Document](w.t)(w.ramp("held", doc))

	if w.record("v2").HeldBy() != sm.HeldByApproval {
		w.t.Fatalf("found %+v", w.record("v2").Held)
	}

	return w.record("v2").Wait.Document
}

// steps lists every step in a world that is ready for it. A step may run twice, be killed at any
// call and run again, and the result is the same: prepare gives the attempt that is tried.
var steps = map[string]func(w *world) (attempt func() error){
	"Begin": func(w *world) func() error {
		return func() error { _, err := w.begin(two, "begin", `{"release":"v2"}`); return err }
	},
	"Begin, waiting": func(w *world) func() error {
		w.store(sm.LockKey, sm.Lock{Fence: 1, Holder: &sm.Holder{Release: "v1", Sequence: 1,
			Execution: one}})
		must[sm.Document](w.t)(w.begin(two, "begin", `{"release":"v2"}`))

		return func() error { _, err := w.begin("arn:exec:v3", "newer", `{"release":"v3"}`); return err }
	},
	"Begin, taking over": func(w *world) func() error {
		w.release(sm.CheckAlarms)

		return func() error {
			_, err := w.begin("arn:exec:again", "begin again", `{"release":"v2","recover":"`+two+`"}`)
			return err
		}
	},
	"Sync":        on(sm.Sync),
	"Expand":      on(sm.Expand),
	"Deploy":      on(sm.Deploy),
	"Probe":       on(sm.Probe),
	"Ramp":        on(sm.Ramp),
	"CheckAlarms": on(sm.CheckAlarms),
	"Promote":     on(sm.Promote),
	"Contract":    on(sm.Contract),
	"Finish":      on(sm.Finish),
	"Drain":       on(sm.Drain),
	"Ramp, paused": func(w *world) func() error {
		doc := w.release(sm.Ramp)
		must[step.SignalResult](w.t)(w.operator("p", sm.SignalPause))

		return func() error { _, err := w.run(sm.Ramp, doc); return err }
	},
	"Ramp, outside of its windows": func(w *world) func() error {
		w.settings.Windows = []sm.Window{{Days: []string{"mon"}, From: "09:00", To: "17:00", Zone: "UTC"}}
		doc := w.release(sm.Ramp)

		return func() error { _, err := w.run(sm.Ramp, doc); return err }
	},
	"Ramp, held before and not any more": func(w *world) func() error {
		doc := held(w)
		must[step.SignalResult](w.t)(w.operator("1", sm.SignalApprove))

		return func() error { _, err := w.ramp("again", doc); return err }
	},
	"Signal, an approval": func(w *world) func() error {
		held(w)
		return func() error { _, err := w.operator("1", sm.SignalApprove); return err }
	},
	"Signal, a resume of what was held": func(w *world) func() error {
		held(w)
		must[step.SignalResult](w.t)(w.operator("1", sm.SignalPause))

		return func() error { _, err := w.operator("2", sm.SignalResume); return err }
	},
	"Ramp, promoted": func(w *world) func() error {
		doc := w.release(sm.Ramp)
		must[step.SignalResult](w.t)(w.operator("p", sm.SignalPromote))

		return func() error { _, err := w.run(sm.Ramp, doc); return err }
	},
	"Rollback, after Deploy":    rollback(sm.Probe),
	"Rollback, in the ramp":     rollback(sm.CheckAlarms),
	"Rollback, after Promote":   rollback(sm.Contract),
	"Rollback, before anything": rollback(sm.Sync),
	"Expand, undone": func(w *world) func() error {
		doc := w.release(sm.Deploy)
		doc.Outcome = sm.RolledBack

		return func() error { _, err := w.run(sm.Expand, doc); return err }
	},
	"Finish, with others waiting": func(w *world) func() error {
		doc := w.release(sm.Finish)
		must[sm.Document](w.t)(w.begin("arn:exec:v3", "third", `{"release":"v3"}`))
		w.upload("v4", 4, nil)
		must[sm.Document](w.t)(w.begin("arn:exec:v4", "fourth", `{"release":"v4"}`))

		return func() error { _, err := w.run(sm.Finish, doc); return err }
	},
	"Finish, refused": func(w *world) func() error {
		doc := sm.Document{Execution: two, Outcome: sm.Refused, Event: []byte(`{"release":"v2"}`),
			Failure: &sm.Failure{Error: sm.InvalidRelease, Cause: "no"}}

		return func() error { _, err := w.run(sm.Finish, doc); return err }
	},
	"Signal, an alarm": signalled(func(w *world) (step.SignalResult, error) {
		return w.alarm("1", "errors-a", "ALARM")
	}),
	"Signal, a rollback": signalled(func(w *world) (step.SignalResult, error) {
		return w.operator("1", sm.SignalRollback)
	}),
	"Signal, a pause": signalled(func(w *world) (step.SignalResult, error) {
		return w.operator("1", sm.SignalPause)
	}),
	"Signal, an advance": signalled(func(w *world) (step.SignalResult, error) {
		return w.operator("1", sm.SignalAdvance)
	}),
	"Signal, a promote": signalled(func(w *world) (step.SignalResult, error) {
		return w.operator("1", sm.SignalPromote)
	}),
	"Signal, a resume": func(w *world) func() error {
		w.release(sm.CheckAlarms)
		must[step.SignalResult](w.t)(w.operator("1", sm.SignalPause))

		return func() error { _, err := w.operator("2", sm.SignalResume); return err }
	},
	"Recover": func(w *world) func() error {
		w.release(sm.CheckAlarms)
		return func() error { _, err := w.died(two, "ABORTED", ""); return err }
	},
	"Recover, given up": func(w *world) func() error {
		w.release(sm.CheckAlarms)
		return func() error { _, err := w.died(two, "FAILED", sm.RollbackFailed); return err }
	},
	"Recover, of one who waited": func(w *world) func() error {
		w.release(sm.CheckAlarms)
		must[sm.Document](w.t)(w.begin("arn:exec:v3", "third", `{"release":"v3"}`))

		return func() error { _, err := w.died("arn:exec:v3", "ABORTED", ""); return err }
	},
}

func on(task sm.Task) func(*world) func() error {
	return func(w *world) func() error {
		doc := w.release(task)
		return func() error { _, err := w.run(task, doc); return err }
	}
}

func rollback(at sm.Task) func(*world) func() error {
	return func(w *world) func() error {
		doc := w.release(at)
		doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: "errors-a"}

		return func() error { _, err := w.run(sm.Rollback, doc); return err }
	}
}

// signalled has a bake that waits.
func signalled(signal func(*world) (step.SignalResult, error)) func(*world) func() error {
	return func(w *world) func() error {
		w.release(sm.CheckAlarms)
		return func() error { _, err := signal(w); return err }
	}
}

// each runs a test for every step. In readies a new world for it, in a time of its own that stands
// still.
func each(t *testing.T, test func(t *testing.T, in func(func(w *world, attempt func() error)))) {
	for name, prepare := range steps {
		t.Run(name, func(t *testing.T) {
			test(t, func(body func(*world, func() error)) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					attempt := prepare(w)
					w.revive()
					body(w, attempt)
				})
			})
		})
	}
}

// once is what a step leaves that is left in peace, and how many calls and writes it makes.
func once(t *testing.T, in func(func(*world, func() error))) (state string, calls, writes int) {
	in(func(w *world, attempt func() error) {
		if err := attempt(); err != nil {
			w.t.Fatal(err)
		}

		state, calls, writes = w.state(), w.calls, len(w.writes)
	})

	if t.Failed() {
		t.FailNow()
	}

	return state, calls, writes
}

func TestSteps_Twice(t *testing.T) {
	each(t, func(t *testing.T, in func(func(*world, func() error))) {
		want, _, _ := once(t, in)
		in(func(w *world, attempt func() error) {
			for range 2 {
				w.revive()

				if err := attempt(); err != nil {
					w.t.Fatal(err)
				}
			}

			if got := w.state(); got != want {
				w.t.Errorf("the second time something else came of it: %s", difference(got, want))
			}
		})
	})
}

func TestSteps_KilledAnywhere(t *testing.T) {
	each(t, func(t *testing.T, in func(func(*world, func() error))) {
		want, calls, _ := once(t, in)
		for call := 1; call <= calls; call++ {
			for _, after := range []bool{false, true} {
				in(func(w *world, attempt func() error) {
					w.killAt, w.after = call, after

					if attempt() == nil {
						return // the order of calls side by side is not always the same, nor is their number
					}

					trace := w.writes
					w.revive()

					if err := attempt(); err != nil {
						w.t.Fatalf("killed at call %d of %d, after %q: the next attempt: %v", call, calls, trace, err)
					}

					if got := w.state(); got != want {
						w.t.Fatalf("killed at call %d of %d (took effect: %v), after %q: %s", call, calls, after,
							trace, difference(got, want))
					}
				})
			}
		}
	})
}

// TestSteps_LosesARace has somebody else write the same object first, at each write in turn.
func TestSteps_LosesARace(t *testing.T) {
	each(t, func(t *testing.T, in func(func(*world, func() error))) {
		want, _, writes := once(t, in)
		for n := range writes {
			in(func(w *world, attempt func() error) {
				left := n

				w.meanwhile = func(write string) {
					key, ok := strings.CutPrefix(write, "ledger ")

					w.mu.Lock()
					defer w.mu.Unlock()

					if left--; left == -1 && ok {
						if w.tags[key] == 0 {
							w.objects[key] = []byte("{}")
						}

						w.tags[key]++
					}
				}
				if err := attempt(); err != nil {
					w.t.Fatalf("race %d: %v", n, err)
				}

				if got := w.state(); got != want {
					w.t.Fatalf("race %d: %s", n, difference(got, want))
				}
			})
		}
	})
}

// TestSteps_LockLost lets another execution take the lock over before each call: from there on
// nothing is written into an environment, and the step says why it stops.
func TestSteps_LockLost(t *testing.T) {
	for _, task := range []sm.Task{sm.Sync, sm.Expand, sm.Deploy, sm.Probe, sm.Ramp, sm.CheckAlarms,
		sm.Promote, sm.Drain, sm.Contract, sm.Rollback} {
		t.Run(string(task), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)

				at := task
				if task == sm.Rollback {
					at = sm.CheckAlarms
				}

				doc := w.release(at)
				w.takenOver()
				_, err := w.run(task, doc)
				named(t, err, sm.LockLost, "v2", "stop writing")

				if len(w.writes) > 0 {
					t.Errorf("wrote %q after the lock was lost", w.writes)
				}
			})
		})
	}
}

// takenOver is what another execution writes when it takes the lock.
func (w *world) takenOver() {
	lock := w.lock()
	lock.Fence++
	lock.Holder.Execution = "arn:exec:again"
	w.store(sm.LockKey, lock)
	w.change(func(r *sm.Record) { r.Execution, r.Fence = "arn:exec:again", lock.Fence })
}

// into tells whether a write goes into an environment.
func into(write string, e sm.Environment) bool {
	for _, verb := range []string{"point", "put", "delete", "stage"} {
		if strings.HasPrefix(write, fmt.Sprintf("%s %s ", verb, e)) {
			return true
		}
	}

	return false
}

// TestSteps_FallbackIsNeverWritten walks a release up to its promotion, and every rollback from
// there.
func TestSteps_FallbackIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := []sm.Task{sm.Sync, sm.Expand, sm.Deploy, sm.Probe, sm.Ramp, sm.CheckAlarms, sm.Promote,
			sm.Drain}
		for i, task := range tasks {
			w := newWorld(t)
			doc := w.release(task)
			doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: "errors-a"}

			for _, next := range []sm.Task{task, sm.Rollback} {
				w.revive()

				doc = must[sm.Document](t)(w.run(next, doc))
				for _, write := range w.writes {
					if into(write, sm.B) {
						t.Errorf("%s wrote %q into the fallback", next, write)
					}

					if i < 6 && next != sm.Rollback && strings.HasPrefix(write, "roles") {
						t.Errorf("%s wrote %q before Promote", next, write)
					}
				}
			}

			if w.route.Weight != 0 || w.control.Active != sm.A || w.aliases["catalog a"] != "1" ||
				w.stages[sm.A] != "a v1" || w.sites[sm.A]["index.html"].Release != "v1" {
				t.Errorf("rolled back after %s: %+v %v %v %v", task, w.route, w.control, w.aliases, w.stages)
			}
		}
	})
}

// order fails the test unless the writes that matter came in this order: each is a prefix, and all
// that have the one come before all that have the next.
func order(t *testing.T, writes []string, prefixes ...string) {
	t.Helper()

	last := -1

	for _, prefix := range prefixes {
		has := func(write string) bool { return strings.HasPrefix(write, prefix) }

		first := slices.IndexFunc(writes, has)
		if first < 0 {
			t.Errorf("nothing wrote %q: %q", prefix, writes)
			return
		}

		if first < last {
			t.Errorf("%q came too early: %q", prefix, writes)
		}

		for i, write := range writes {
			if has(write) {
				last = max(last, i)
			}
		}
	}
}
