package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"lockstep/infra/local/cloud"
	sm "lockstep/statemachine"
)

const recovered = "Begin Rollback UndoExpand Finish RolledBack"

// StopExecution runs no Catch: Recover finishes what the machine could not, and hands the lock on.
func TestStop_BeforeContract_IsRolledBack(t *testing.T) {
	for name, stopped := range map[string]struct {
		when func(w *world, stop func())
		way  string
	}{
		"in sync": {func(w *world, stop func()) { w.after(sm.Sync, stop) }, "Begin Sync"},
		"in deploy": {func(w *world, stop func()) { w.after(sm.Deploy, stop) },
			strings.TrimSpace(deployed[:len(deployed)-len("Probe ")])},
		"at 25 %": {func(w *world, stop func()) { w.bakes("v2", 2500); stop() }, deployed + baked +
			"Ramp"},
		"in promote": {func(w *world, stop func()) { w.after(sm.Promote, stop) }, deployed + baked +
			baked + baked + "Promote"},
		"in drain": {func(w *world, stop func()) { w.reaches("OldTabsOpen"); stop() }, deployed +
			baked + baked + baked + "Promote Drain"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				stopped.when(w, func() { w.stop("v2"); time.Sleep(time.Second) })
				w.ends("v2", sm.RolledBack)
				w.tookTimes("v2", stopped.way, recovered)
				w.stands("a", "v1", "v1")

				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.stands("b", "v1", "v3")
			})
		})
	}
}

func TestStop_AtFivePercent_UnderViewers(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 2500)
		w.merge(w.release("v3", 3, everything)) // waits meanwhile, and follows
		time.Sleep(time.Minute)
		w.stop("v2")
		w.ends("v2", sm.RolledBack)
		w.ends("v3", sm.Released)
		w.stands("b", "v1", "v3")
	})
}

// The point of no return is passed: there is only one way.
func TestStop_InContract_IsFinished(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.after(sm.Contract, func() { w.stop("v2"); time.Sleep(time.Second) })
		w.ends("v2", sm.Released)
		w.tookTimes("v2", deployed+baked+baked+baked+"Promote Drain Contract",
			"Begin Contract Finish Released")
		w.stands("b", "v1", "v2")
	})
}

func TestStop_InFinish(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.before(sm.Finish, func() { w.stop("v2"); time.Sleep(time.Second) })
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

func TestStop_InRollback_IsRolledBackAgain(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.after(sm.Rollback, func() { w.stop("v2"); time.Sleep(time.Second) })
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.tookTimes("v2", deployed+"Ramp Rollback", recovered)
		w.stands("a", "v1", "v1")
	})
}

// Recovery itself can be stopped.
func TestStop_InRecovery(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.stop("v2")
		w.reaches("CallsInFlight")
		w.stop("v2")
		time.Sleep(time.Second)
		w.ends("v2", sm.RolledBack)
		w.tookTimes("v2", deployed+"Ramp", "Begin Rollback", recovered)
		w.stands("a", "v1", "v1")
	})
}

// A merge that waits and is stopped is taken out of the queue; the others go on.
func TestStop_InTheQueue(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)
		w.stop("v3")
		w.ends("v2", sm.Released)
		time.Sleep(time.Minute)
		w.took("v3", "Begin")
		w.stands("b", "v1", "v2")
	})
}

// The news of its death comes after whoever had the lock has woken it without an answer: the merge is not
// lost.
func TestStop_InTheQueue_ToldLate(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.stack.Cloud.Deliver(func(next cloud.Delivery) cloud.Delivery {
			return func(ctx context.Context, target string, input []byte) error {
				if strings.HasSuffix(target, "-recover") {
					time.Sleep(time.Hour)
				}

				return next(ctx, target, input)
			}
		})
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)
		w.stop("v3")
		w.ends("v2", sm.Released)
		w.ends("v3", sm.Refused)

		if cause := w.record("v3").Cause.Text; !strings.Contains(cause, "was ABORTED while it waited") {
			t.Errorf("the record says %q", cause)
		}

		w.stands("b", "v1", "v2")
	})
}

// Stopping an execution does not stop the Lambda that it called: what a dead execution's Deploy
// does when it comes back must not land on the release that follows.
func TestStop_WhileDeployLingers(t *testing.T) {
	for operation, path := range map[string]string{
		"UpdateFunctionCode": "", "GetAlias": "", "UpdateAlias": "", "PutObject": "/shop-site-b/assets/", "GetObject": "/ledger/environments/b",
	} {
		t.Run(operation, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.stalls(sm.Deploy, operation, path, 4*time.Minute)
				w.second()
				w.reaches("Deploy")
				time.Sleep(2 * time.Second)
				w.stop("v2")
				w.merge(w.release("v3", 3, everything))
				w.ends("v2", sm.RolledBack)
				w.ends("v3", sm.Released)
				w.stands("b", "v1", "v3")
			})
		})
	}
}

// A dead execution's Begin must not open the record again that says how its merge ended. Where it
// takes the lock, a sweep takes it away.
func TestStop_WhileBeginLingers(t *testing.T) {
	for path, operation := range map[string]string{"/ledger/lock.json": "PutObject",
		"/": "DescribeAlarms", "/ledger/releases/v2.json": "PutObject"} {
		t.Run(operation+" "+path, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.stalls(sm.Begin, operation, path, 4*time.Minute)
				w.second()
				time.Sleep(10 * time.Second)
				w.stop("v2")
				w.ends("v2", sm.Refused)
				time.Sleep(time.Hour)

				if r := w.record("v2"); r.Outcome != sm.Refused || r.Ended == nil {
					t.Errorf("v2 was refused, and then its record says %q: %s", r.Outcome, r.Cause)
				}

				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.stands("b", "v1", "v3")
			})
		})
	}
}

// Where the rollback finds an alias as it should be, the dead execution's Lambda must not be able
// to move it any more: what follows brings a site only, and would run on a function that was
// rolled back.
func TestStop_WhileALambdaIsAboutToMoveAnAlias(t *testing.T) {
	for task, alias := range map[sm.Task]string{sm.Deploy: "b", sm.Promote: sm.LiveAlias} {
		for name, back := range map[string]struct{ woken, then time.Duration }{
			"during the rollback": {20 * time.Second, 0}, "in the next release": {10 * time.Minute,
				0}, "after the next release": {3 * time.Hour, 4 * time.Hour},
		} {
			t.Run(string(task)+" wakes up "+name, func(t *testing.T) {
				story(t, func(w *world) {
					w.quietlyLive()
					w.stalls(task, "UpdateAlias", "/aliases/"+alias, back.woken)
					w.second()
					w.reaches(string(task))
					time.Sleep(10 * time.Second)
					w.stop("v2")
					w.merge(w.release("v3", 3, brings{site: true}))
					w.ends("v2", sm.RolledBack)
					w.ends("v3", sm.Released)
					time.Sleep(back.then)
					w.stands("b", "v1", "v3")
				})
			})
		}
	}
}

// AWS has no condition for a stage, pages and the roles. What a dead execution's Lambda did not
// write soon after its look at the lock it does not write any more, and what it did the recovery
// writes again.
func TestStop_WhileALambdaIsAboutToWriteWithoutACondition(t *testing.T) {
	for operation, of := range map[string]struct {
		path  string
		tasks []sm.Task
	}{
		"UpdateStage":  {"api-b", []sm.Task{sm.Sync, sm.Deploy, sm.Rollback}},
		"PutObject":    {"/shop-site-b/index.html", []sm.Task{sm.Sync, sm.Deploy, sm.Rollback}},
		"PutParameter": {"", []sm.Task{sm.Promote, sm.Rollback}},
	} {
		for _, task := range of.tasks {
			for name, c := range map[string]struct {
				woken time.Duration
				then  string
			}{
				"during the rollback": {9 * time.Second, ""}, "in the next release": {4 * time.Minute,
					"v3"}, "after the next release": {14 * time.Minute, "v3"},
			} {
				t.Run(operation+", "+string(task)+" wakes up "+name, func(t *testing.T) {
					story(t, func(w *world) {
						w.quietlyLive()
						w.stalls(task, operation, of.path, c.woken)
						w.second()

						if task == sm.Rollback {
							w.bakes("v2", 500)
							w.operator(sm.SignalRollback)
						}

						w.reaches(string(task))
						time.Sleep(3 * time.Second)
						w.stop("v2")
						w.ends("v2", sm.RolledBack)

						if c.then == "" {
							w.stands("a", "v1", "v1")
							w.quiet()

							return
						}

						w.merge(w.release("v3", 3, brings{site: true}))
						w.ends("v3", sm.Released)
						time.Sleep(20 * time.Minute)
						w.stands("b", "v1", "v3")
						w.quiet()
					})
				})
			}
		}
	}
}

// An object of the same content has the same ETag: what the recovery writes back must not be what
// the dead execution's Lambda read.
func TestStop_WhileALambdaIsAboutToNoteWhatAnEnvironmentCarries(t *testing.T) {
	for _, task := range []sm.Task{sm.Sync, sm.Deploy, sm.Rollback} {
		for name, woken := range map[string]time.Duration{"during the rollback": 15 * time.Second,
			"after it": 3 * time.Minute} {
			t.Run(string(task)+" wakes up "+name, func(t *testing.T) {
				story(t, func(w *world) {
					w.quietlyLive()
					w.second()
					w.bakes("v2", 500)
					w.operator(sm.SignalRollback)
					w.ends("v2", sm.RolledBack)
					w.stalls(task, "PutObject", "/ledger/environments/b.json", woken)
					w.merge(w.release("v3", 3, brings{functions: []string{"orders"}, site: true}))

					if task == sm.Rollback {
						w.bakes("v3", 500)
						w.operator(sm.SignalRollback)
					}

					w.reaches(string(task))
					time.Sleep(3 * time.Second)
					w.stop("v3")
					w.ends("v3", sm.RolledBack)
					time.Sleep(10 * time.Minute)
					w.stands("a", "v1", "v1")
					w.quiet()
				})
			})
		}
	}
}

// SSM has no conditional write, and people have hands: what begins must not take the environment
// that serves everybody for the one that serves nobody.
func TestBegin_GoesByTheRoute(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.swapRoles()
		w.second()
		w.ends("v2", sm.Released)

		if r := w.record("v2"); r.Active != "b" || !strings.Contains(r.Events[0].Text,
			"the control parameter said that a is active") {
			t.Errorf("v2 went to %s: %s", r.Active, r.Events[0].Text)
		}

		w.stands("b", "v1", "v2")
	})
}

// Whatever left viewers in active, no release is put under them.
func TestBegin_RefusesWhereActiveHasViewers(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		r := w.route()
		r.Weight = 2500

		value, _ := json.Marshal(r)
		if err := w.stack.Cloud.KeyValue.Put(w.stack.Settings.KeyValue, sm.RouteKey,
			string(value)); err != nil {
			t.Fatal(err)
		}

		w.second()
		w.ends("v2", sm.Refused)

		if cause := w.record("v2").Cause.Text; !strings.Contains(cause,
			"the route sends 25 % of the viewers to b, where v2 would go, and no release is under way") {
			t.Errorf("refused: %s", cause)
		}

		w.repaired("25 % of the viewers")
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)
		w.stands("b", "v1", "v3")
	})
}

// swapRoles lets the control parameter contradict the route.
func (w *world) swapRoles() {
	w.t.Helper()

	r := w.route()
	if err := w.stack.Cloud.SSM.Put(sm.ControlParameter(app),
		fmt.Sprintf(`{"active":%q,"fallback":%q}`, r.Fallback, r.Active)); err != nil {
		w.t.Fatal(err)
	}
}

// Assets are the same whoever writes them, but the environment may be the fallback by then.
func TestStop_WhileDeployIsAboutToWriteAssets(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		// v3 is promoted by then, and a Lambda lives for 15
		w.stalls(sm.Deploy, "GetObject", "/releases/v2/site.zip", 14*time.Minute)
		w.second()
		w.reaches("Deploy")
		time.Sleep(10 * time.Second)
		w.stop("v2")
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)
		time.Sleep(time.Hour)

		if _, there := w.stack.Cloud.S3.Get("shop-site-b", "assets/app-v2.js"); there {
			t.Error("a dead execution's Deploy wrote into the fallback")
		}

		w.stands("b", "v1", "v3")
	})
}

// A rollback that can't be done keeps the lock, so that nothing runs over the wreck.
func TestRollback_ThatFails_KeepsTheLock(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.refuses(sm.Rollback, "UpdateStage", "api-b")
		w.bakes("v2", 500)
		w.operator(sm.SignalRollback)
		w.eventually("v2 has failed", time.Hour, func() bool { return !w.running("v2") })
		time.Sleep(time.Minute)
		w.took("v2", deployed+"Ramp Rollback RollbackFailed")
		w.merge(w.release("v3", 3, everything))
		time.Sleep(time.Hour)

		var lock sm.Lock
		w.read("ledger/lock.json", &lock)

		if lock.Holder == nil || lock.Holder.Release != "v2" || len(lock.Queue) != 1 {
			t.Errorf("the lock is %+v, expected v2 to hold it and v3 to wait", lock)
		}

		if r := w.route(); r.Weight != 0 {
			t.Errorf("the route is %+v, expected nobody to be sent to b", r)
		}
	})
}

// A recovery that can't begin is not tried for ever, and does not let go of what it could not roll
// back.
func TestRecovery_ThatCannotBegin_KeepsTheLock(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.refuses(sm.Begin, "PutObject", "/ledger/releases/v2.json")
		w.stop("v2")
		time.Sleep(time.Hour)

		var lock sm.Lock
		w.read("ledger/lock.json", &lock)

		if n := len(w.executions("v2")); lock.Holder == nil || lock.Holder.Release != "v2" || n != 4 {
			t.Errorf("the lock is %+v after %d executions, expected v2 to hold it, and 3 tries", lock, n)
		}

		if story := w.record("v2").Events; !strings.Contains(story[len(story)-1].Text,
			"a person must look") {
			t.Errorf("the record ends with %q", story[len(story)-1].Text)
		}
	})
}

// Who stood in the queue is stopped, and Recover dies before it has said so.
func TestStop_InTheQueue_IsAnnounced(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)

		d := w.dies(sm.Recover, 3, manner{before: true}) // the lock, the record, and the word
		w.stop("v3")
		w.ends("v2", sm.Released)

		if d.at != "PutEvents" {
			t.Errorf("it died at %q", d.at)
		}

		if r := w.record("v3"); r.Outcome != sm.Refused || len(w.said("v3", sm.Finish)) == 0 {
			t.Errorf("v3 was %s, and announced was %q", r.Outcome, w.said("v3", sm.Finish))
		}

		w.stands("b", "v1", "v2")
	})
}
