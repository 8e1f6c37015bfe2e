package step_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	sm "lockstep/statemachine"
)

// parked has a release that holds the lock, and others that wait on tokens of their names.
func parked(t *testing.T, ids ...string) *world {
	w := newWorld(t)
	lock := sm.Lock{Fence: 2, Holder: &sm.Holder{Release: "v2", Sequence: 2, Execution: two, Fence: 2}}
	for _, id := range ids {
		lock.Queue = append(lock.Queue, sm.QueueEntry{Release: id, Sequence: int64(id[1] - '0'),
			Execution: "arn:exec:" + id, TaskToken: id})
	}

	w.store(sm.LockKey, lock)

	return w
}

func (w *world) settle() error { return w.book().NotifyQueue(w.t.Context(), answers{w}, false) }

func (w *world) free() {
	lock := w.lock()
	lock.Holder = nil
	w.store(sm.LockKey, lock)
}

func (w *world) waiting() (ids []string) {
	for _, p := range w.lock().Queue {
		ids = append(ids, p.Release)
	}

	return ids
}

func TestQueue_TheNewestWaits_TheOlderAreSuperseded(t *testing.T) {
	w := parked(t, "v4", "v6", "v5")
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	for _, id := range []string{"v4", "v5"} {
		if doc := w.answered(id); doc.Next != sm.NextFinish || doc.Outcome != sm.Superseded ||
			doc.Failure.Cause != "v6, which is newer, waits in its place" {
			t.Errorf("%s was told %+v", id, doc)
		}
	}

	if got := w.waiting(); !slices.Equal(got, []string{"v6"}) || w.answers["v6"] != "" {
		t.Errorf("%v wait; v6 was told %q", got, w.answers["v6"])
	}
	// A token is answered before its place is given up.
	order(t, w.writes, "succeed", "ledger ledger/lock.json")
}

func TestQueue_WakesTheNewest(t *testing.T) {
	w := parked(t, "v4", "v5")
	w.free()

	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	if doc := w.answered("v5"); doc.Next != sm.NextBegin || doc.Release != "v5" {
		t.Errorf("v5 was told %+v", doc)
	}

	if doc := w.answered("v4"); doc.Outcome != sm.Superseded || len(w.waiting()) > 0 {
		t.Errorf("v4 was told %+v; %v wait", doc, w.waiting())
	}
}

func TestQueue_SkipsTheDead(t *testing.T) {
	w := parked(t, "v5")
	w.free()
	w.used["v5"] = true
	w.just("ledger ledger/lock.json", func() { // another merge joins while the dead one is found out
		lock := w.lock()
		lock.Queue = append(lock.Queue, sm.QueueEntry{Release: "v4", Sequence: 4,
			Execution: "arn:exec:v4", TaskToken: "v4"})
		w.store(sm.LockKey, lock)
	})

	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	if doc := w.answered("v4"); doc.Next != sm.NextBegin || len(w.waiting()) > 0 {
		t.Errorf("v4 was told %+v; %v wait", doc, w.waiting())
	}
}

// An execution that was woken and found the lock taken waits again on a new token, whose place
// must stay.
func TestQueue_KeepsThePlaceOfANewToken(t *testing.T) {
	w := parked(t, "v5")
	w.free()
	w.just("ledger ledger/lock.json", func() {
		lock := w.lock()
		lock.Holder = &sm.Holder{Release: "v9", Execution: "arn:exec:v9"}
		lock.Queue[0].TaskToken = "v5 again"
		w.store(sm.LockKey, lock)
	})

	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	if got := w.waiting(); !slices.Equal(got, []string{"v5"}) {
		t.Errorf("%v wait, expected v5 on its new token", got)
	}
}

func TestBegin_WaitsBehindAnother(t *testing.T) {
	w := parked(t, "v1")
	must[sm.Document](t)(w.begin("arn:exec:v3", "token", `{"release":"v3"}`))

	if got := w.waiting(); !slices.Equal(got, []string{"v3"}) || w.answers["token"] != "" ||
		w.answered("v1").Outcome != sm.Superseded {
		t.Errorf("%v wait; v3 was told %q", got, w.answers["token"])
	}
	// Its retry has another token: the first is dead.
	must[sm.Document](t)(w.begin("arn:exec:v3", "retried", `{"release":"v3"}`))

	if queue := w.lock().Queue; len(queue) != 1 || queue[0].TaskToken != "retried" {
		t.Errorf("the queue is %+v", queue)
	}
	// Woken, it takes the lock.
	w.free()

	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	must[sm.Document](t)(w.begin("arn:exec:v3", "woken", `{"release":"v3"}`))

	if doc := w.answered("woken"); doc.Next != sm.NextSync || doc.Fence != 3 {
		t.Errorf("found %+v", doc)
	}
}

func TestFinish(t *testing.T) {
	why := &sm.Failure{Error: sm.InvalidRelease,
		Cause: `{"errorMessage":"no such object","errorType":"InvalidRelease"}`}

	virtual(t, map[string]func(t *testing.T){
		"records before it hands the lock on, and announces last": func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(sm.Finish)
			must[sm.Document](t)(w.begin("arn:exec:v3", "v3", `{"release":"v3"}`))
			w.revive()
			must[sm.Document](t)(w.run(sm.Finish, doc))
			order(t, w.writes, "ledger ledger/releases/v2.json", "ledger ledger/lock.json", "announce")
			order(t, w.writes, "ledger ledger/releases/v2.json", "succeed v3", "announce")

			if r := w.record("v2"); r.Outcome != sm.Released || r.Ended == nil || w.lock().Holder != nil ||
				w.answered("v3").Next != sm.NextBegin {
				t.Errorf("found the record %+v, the lock %+v", r, w.lock())
			}
		},
		"of a failed contract says so": func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(sm.Finish)
			doc.Failure = &sm.Failure{Error: sm.ContractFailed, Cause: "lock timeout"}
			must[sm.Document](t)(w.run(sm.Finish, doc))

			if got := w.events[len(
				w.events)-1]; got != "v2 Finish: v2 is released, but not contracted: lock timeout" {
				t.Errorf("said %q", got)
			}
		},
		"of a refusal records it": func(t *testing.T) {
			w := newWorld(t)
			must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: two, Outcome: sm.Refused,
				Failure: why, Event: []byte(typed)}))

			if r := w.record("v2"); r.Outcome != sm.Refused || r.Cause.Text != "no such object" {
				t.Errorf("found the record %+v", r)
			}
		},
		"of a refusal lets the record of another execution be": func(t *testing.T) {
			for what, spoil := range map[string]func(w *world){
				"it is over": func(w *world) {
					w.change(func(r *sm.Record) {
						r.Execution, r.Outcome = one,
							sm.RolledBack
					})
				},
				"it has begun": func(w *world) {
					w.store(sm.LockKey,
						sm.Lock{Holder: &sm.Holder{Release: "v2", Execution: one}})
				},
				"it is waiting": func(w *world) {
					w.store(sm.LockKey, sm.Lock{Holder: &sm.Holder{Release: "v1", Execution: one},
						Queue: []sm.QueueEntry{{Release: "v2", Sequence: 2, Execution: "arn:other",
							TaskToken: "v2"}}})
				},
				"it has no name": func(w *world) {},
			} {
				w := newWorld(t)
				spoil(w)

				event := typed
				if what == "it has no name" {
					event = `{"release":7}`
				}

				before := w.state()
				must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: two, Outcome: sm.Refused,
					Failure: why, Event: []byte(event)}))

				if after := w.state(); strings.Contains(after, "no such object") ||
					w.record("v2").Execution == two || before != after && what == "it is over" {
					t.Errorf("%s: %s", what, difference(after, before))
				}

				named := map[bool]string{true: two + " named no release and ",
					false: "v2 "}[what == "it has no name"]
				if got := w.events[len(w.events)-1]; !strings.Contains(got, named+
					"is refused: no such object") {
					t.Errorf("%s: said %q", what, got)
				}
			}
		},
		"of one that waited gives up its place": func(t *testing.T) {
			w := parked(t, "v3")
			must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: "arn:exec:v3", Outcome: sm.Refused,
				Failure: why, Event: []byte(`{"release":"v3"}`)}))

			if got := w.waiting(); len(got) > 0 || w.record("v3").Outcome != sm.Refused {
				t.Errorf("%v wait", got)
			}
		},
		"of a recovery that could not begin keeps the lock": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)
			lock := w.lock()
			lock.Fence, lock.Holder.Execution = 3, "arn:exec:again"
			w.store(sm.LockKey, lock)

			refused := sm.Document{Execution: "arn:exec:again", Outcome: sm.Refused, Failure: why,
				Event: []byte(`{"release":"v2","recover":"` + two + `"}`)}

			for _, adopted := range []bool{false, true} {
				if adopted {
					w.change(func(r *sm.Record) { r.Execution, r.Fence = "arn:exec:again", 3 })
				}

				if _, err := w.run(sm.Finish, refused); err == nil || w.lock().Holder == nil ||
					w.record("v2").Ended != nil {
					t.Errorf("adopted %v: %v; the lock is %+v", adopted, err, w.lock())
				}
			}
		},
	})
}

// A stale attempt must not leave its token where the execution waits for another: nobody
// would be woken by it.
func TestBegin_AskedAgain_KeepsTheLaterToken(t *testing.T) {
	w := parked(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first, retried, woken := sm.Attempt{Entered: at}, sm.Attempt{Entered: at,
		Retry: 1}, sm.Attempt{Entered: at.Add(time.Minute)}

	ask := func(asked sm.Attempt, token string) error {
		_, err := w.beginAsked(asked, "arn:three", token, `{"release":"v3"}`)
		return err
	}
	for _, c := range []struct {
		asked sm.Attempt
		token string
		stale bool
	}{{first, "first", false}, {retried, "retried", false}, {first, "first", true}, {woken, "woken",
		false}, {retried, "retried", true}, {woken, "woken", false}} {
		if err := ask(c.asked, c.token); (sm.Name(err) == sm.StaleWrite) != c.stale {
			t.Errorf("%s: %v", c.token, err)
		}
	}

	if queue := w.lock().Queue; len(queue) != 1 || queue[0].TaskToken != "woken" {
		t.Errorf("found the queue %+v", queue)
	}

	w.free()

	if err := w.settle(); err != nil {
		t.Fatal(err)
	}

	if err := ask(retried, "retried"); sm.Name(err) != sm.StaleWrite || w.lock().Holder != nil ||
		len(w.lock().Queue) > 0 {
		t.Errorf("told to ask for the lock, it left %+v: %v", w.lock(), err)
	}
}

func TestBegin_OfARecovery_TakesTheLockOfADeadOneThatTookItLate(t *testing.T) {
	w := newWorld(t)
	w.release(sm.CheckAlarms)

	const stopped = "arn:aws:states:us-east-1:1:execution:m:recover-v2-1"

	lock := w.lock()
	lock.Holder.Execution, lock.Fence = stopped, 3
	w.store(sm.LockKey, lock)
	w.change(func(r *sm.Record) { r.Execution, r.Fence = stopped, 3 })

	input := `{"release":"v2","recover":"` + two + `"}`
	if _, err := w.begin("arn:aws:states:us-east-1:1:execution:m:recover-v2-2", "stranger",
		input); sm.Name(err) != sm.InvalidRelease {
		t.Errorf("of another's death: %v", err)
	}

	must[sm.Document](t)(w.begin("arn:aws:states:us-east-1:1:execution:m:"+
		machine.RecoveryName("v2", stopped), "again", input))

	if doc := w.answered("again"); doc.Next != sm.NextRollback || doc.Fence != 4 {
		t.Errorf("found %+v", doc)
	}
}

func TestRecover(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"starts one execution for a dead one": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)

			for range 2 {
				must[recovery.Report](t)(w.died(two, "ABORTED", ""))
			}

			if len(w.executions) != 1 || w.lock().Holder.Recoveries != 1 {
				t.Errorf("started %v", w.executions)
			}

			for name, input := range w.executions {
				if !strings.HasPrefix(name, "recover-v2-") || len(name) > 80 || input != `{"recover":"`+two+
					`","release":"v2"}` {
					t.Errorf("started %s with %s", name, input)
				}
			}
		},
		"has room for a long name": func(t *testing.T) {
			w := newWorld(t)
			id := strings.Repeat("v", 40)
			w.store(sm.LockKey, sm.Lock{Fence: 1, Holder: &sm.Holder{Release: id, Execution: two}})
			must[recovery.Report](t)(w.died(two, "TIMED_OUT", ""))

			for name := range w.executions {
				if len(name) > 80 {
					t.Errorf("%s has %d characters, Step Functions takes 80", name, len(name))
				}
			}
		},
		"tries again for a recovery that died before it had the lock": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)

			for range 2 {
				must[recovery.Report](t)(w.died("arn:r1", "FAILED", "Throttled", `{"release":"v2","recover":"`+two+`"}`))
			}

			if len(w.executions) != 1 || w.lock().Holder.Recoveries != 1 {
				t.Errorf("started %v", w.executions)
			}

			for _, input := range w.executions {
				if input != `{"recover":"`+two+`","release":"v2"}` {
					t.Errorf("started it with %s", input)
				}
			}
		},
		"gives up after three": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)

			for _, execution := range []string{two, "arn:r1", "arn:r2", "arn:r3"} {
				lock := w.lock()
				lock.Holder.Execution = execution
				w.store(sm.LockKey, lock)
				must[recovery.Report](t)(w.died(execution, "FAILED", ""))
			}

			if len(w.executions) != recovery.Tries || w.lock().Holder == nil ||
				!strings.Contains(w.events[len(w.events)-1], "a person must look") {
				t.Errorf("started %v; said %q", w.executions, w.events)
			}
		},
		"leaves a failed rollback to a person": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)
			must[recovery.Report](t)(w.died(two, "FAILED", sm.RollbackFailed))

			if len(w.executions) > 0 || w.lock().Holder == nil {
				t.Errorf("started %v", w.executions)
			}
		},
		"lets those be that ended well, or by themselves": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)
			must[recovery.Report](t)(w.died(two, "SUCCEEDED", ""))
			must[recovery.Report](t)(w.died("arn:other", "FAILED", "InvalidRelease"))

			if len(w.executions) > 0 {
				t.Errorf("started %v", w.executions)
			}
		},
		"records the end of one that waited": func(t *testing.T) {
			w := parked(t, "v3")
			must[recovery.Report](t)(w.died("arn:exec:v3", "ABORTED", ""))

			if r := w.record("v3"); len(w.waiting()) > 0 || r.Outcome != sm.Refused ||
				!strings.Contains(r.Cause.Text, "ABORTED") {
				t.Errorf("%v wait; v3 ended %s: %s", w.waiting(), r.Outcome, r.Cause)
			}

			if len(w.events) != 1 || !strings.HasPrefix(w.events[0], "v3 Finish: v3 is refused") {
				t.Errorf("said %q", w.events)
			}
		},
		"announces an end that was recorded, where who recorded it died": func(t *testing.T) {
			why := &sm.Failure{Error: sm.AlarmBreached, Cause: "it rings"}

			for end, again := range map[[2]string]bool{
				{"ABORTED"}: true, {"TIMED_OUT"}: true, {"FAILED", "States.Timeout"}: true, {"FAILED",
					"StaleWrite"}: true, {"FAILED", "RolledBack"}: false,
			} {
				w := newWorld(t)
				doc := w.release(sm.CheckAlarms)
				doc.Outcome, doc.Failure = sm.RolledBack, why
				must[sm.Document](t)(w.run(sm.Finish, doc))
				said := w.events[len(w.events)-1]
				w.events = nil
				must[recovery.Report](t)(w.died(two, end[0], end[1], `{"release":"v2","recover":"arn:exec:v2"}`))

				if again && !slices.Equal(w.events, []string{said}) || !again && len(w.events) > 0 ||
					len(w.executions) > 0 {
					t.Errorf("%v: said %q, expected %q: %v; started %v", end, w.events, said, again, w.executions)
				}

				if r := w.record("v2"); r.Outcome != sm.RolledBack || r.Cause.Text != why.Message() {
					t.Errorf("%v: v2 was %s: %s", end, r.Outcome, r.Cause)
				}
			}

			w := newWorld(t)
			must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: two, Release: "v2", Sequence: 2,
				Outcome: sm.Refused, Failure: why}))
			said := w.events[0]
			w.events = nil
			must[recovery.Report](t)(w.died(two, "FAILED", "Refused", `{"release":"v2"}`))
			// which waits in another, and has no record yet
			must[recovery.Report](t)(w.died("arn:exec:v3:copy", "FAILED", "Refused", `{"release":"v3"}`))

			if len(w.events) > 0 {
				t.Errorf("said %q again", w.events)
			}

			must[recovery.Report](t)(w.died(two, "FAILED", "States.Timeout", `{"release":"v2"}`))

			if !slices.Equal(w.events, []string{said}) {
				t.Errorf("said %q, expected %q", w.events, said)
			}
		},
		"wakes who waits for a lock that was let go": func(t *testing.T) {
			w := parked(t, "v3")
			w.free()
			must[recovery.Report](t)(w.died(two, "FAILED", "Lambda.Unknown"))

			if doc := w.answered("v3"); doc.Next != sm.NextBegin {
				t.Errorf("v3 was told %+v", doc)
			}
		},
	})
}

// A stale attempt must not make itself the latest again: whoever came before the one that
// the machine waits for could write.
func TestBegin_AskedAgain_WithTheLock(t *testing.T) {
	w := newWorld(t)
	first := sm.Attempt{Entered: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	retried := first
	retried.Retry = 1
	must[sm.Document](t)(w.beginAsked(retried, "arn:two", "retried", `{"release":"v2"}`))
	_, err := w.beginAsked(first, "arn:two", "first", `{"release":"v2"}`)
	named(t, err, sm.StaleWrite)

	if got := w.lock().Holder.Attempt; got != retried {
		t.Errorf("the latest call is %+v, expected %+v", got, retried)
	}
}
