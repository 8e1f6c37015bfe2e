package step_test

import (
	"slices"
	"testing"

	sm "lockstep/statemachine"
)

func TestQueue_InTurn(t *testing.T) {
	w := parked(t, "v4", "v3", "v5")

	w.policy = sm.InTurn
	if err := w.settle(); err != nil || len(w.writes) > 0 {
		t.Errorf("while one runs: %v, and wrote %v", err, w.writes)
	}

	w.free()

	for range 2 { // told twice, it is woken once
		if err := w.settle(); err != nil {
			t.Fatal(err)
		}
	}

	if doc := w.answered("v3"); doc.Next != sm.NextBegin || w.answers["v4"]+w.answers["v5"] != "" {
		t.Errorf("v3 was told %+v; the others %q", doc, w.answers["v4"]+w.answers["v5"])
	}
	// It keeps its turn until it asks for the lock.
	w.upload("v6", 6, nil)
	must[sm.Document](t)(w.begin("arn:exec:v6", "six", `{"release":"v6"}`))

	if got := w.waiting(); !slices.Equal(got, []string{"v4", "v3", "v5", "v6"}) ||
		w.lock().Holder != nil {
		t.Errorf("%v wait; %+v holds the lock", got, w.lock().Holder)
	}

	must[sm.Document](t)(w.begin("arn:exec:v3", "again", `{"release":"v3"}`))

	if doc := w.answered("again"); doc.Next != sm.NextSync ||
		!slices.Equal(w.waiting(), []string{"v4", "v5", "v6"}) {
		t.Errorf("v3 was told %+v; %v wait", doc, w.waiting())
	}
}

// Killed between the answer and the ledger, it finds the token used up: the turn is kept all the
// same.
func TestQueue_InTurn_Killed(t *testing.T) {
	w := parked(t, "v3", "v4")
	w.policy = sm.InTurn
	w.free()

	w.killAt = 3
	if err := w.settle(); err == nil || w.answers["v3"] == "" {
		t.Fatalf("%v; v3 was told %q", err, w.answers["v3"])
	}

	w.revive()

	if err := w.settle(); err != nil || !w.lock().Queue[0].Woken || w.answers["v4"] != "" {
		t.Errorf("%v; the queue is %+v", err, w.lock().Queue)
	}
}

func TestBegin_RefusesToWait(t *testing.T) {
	w := parked(t)
	w.policy = sm.RefuseNew
	_, err := w.begin("arn:exec:v3", "token", `{"release":"v3"}`)
	named(t, err, sm.InvalidRelease, "release v2 is under way", "release v3 again once it has ended")

	if len(w.waiting()) > 0 {
		t.Errorf("%v wait", w.waiting())
	}
}

// Of two releases with one sequence neither is the newer: the second is refused.
func TestBegin_SequenceTaken(t *testing.T) {
	for name, waits := range map[string][]string{"by the one under way": {},
		"by one that waits": {"v3"}} {
		t.Run(name, func(t *testing.T) {
			w := parked(t, waits...)
			w.upload("other", int64(2+len(waits)), nil)
			_, err := w.begin("arn:exec:other", "token", `{"release":"other"}`)
			named(t, err, sm.InvalidRelease, "sequence: found", "has already")
		})
	}
}

// A copy of a merge that is refused while the merge gives way to a newer one: the record says what
// became of the merge.
func TestFinish_OfTheMergeAndItsCopy(t *testing.T) {
	for name, order := range map[string][]sm.Outcome{"the copy first": {sm.Refused, sm.Superseded},
		"the merge first": {sm.Superseded, sm.Refused}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, outcome := range order {
				must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: "arn:exec:" + string(outcome),
					Release: "v3", Sequence: 3, Outcome: outcome}))
			}

			if r := w.record("v3"); r.Outcome != sm.Superseded || r.Execution != "arn:exec:superseded" {
				t.Errorf("v3 was %s in %s", r.Outcome, r.Execution)
			}
		})
	}
}
