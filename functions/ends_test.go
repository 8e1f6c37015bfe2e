package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

const teamsProbe = "release-check"

// asks gives the team a probe of its own, which answers what it is told to.
func asks(o *stack.Options) {
	o.Probe = &sm.ProbeFunction{Function: teamsProbe, Timeout: sm.Duration(20 * time.Second)}
}

func (w *world) answers(probe lambda.Handler) {
	w.t.Helper()

	if _, err := w.stack.Cloud.Lambda.Create(lambda.Function{Name: teamsProbe, Zip: placeholder,
		Timeout: time.Minute}); err != nil {
		w.t.Fatal(err)
	}

	w.runner.Handle(teamsProbe, probe)
}

func TestProbe_OfTheTeam(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		err    error
		slow   time.Duration
		cause  string // "" where the release goes on
	}{
		"agrees": {answer: `{"ok": true}`},
		"says no": {answer: `{"ok": false, "reason": "checkout is empty"}`,
			cause: "checkout is empty"},
		"fails":           {err: errors.New("no such host"), cause: "no such host"},
		"says nothing":    {answer: `null`, cause: `expected {"ok": true}`},
		"says too little": {answer: `{"passed": 12}`, cause: `found the answer {"passed": 12}`},
		"takes too long": {answer: `{"ok": true}`, slow: 30 * time.Second,
			cause: "found no answer within 20s"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				var asked sm.ProbeQuestion

				w.answers(func(_ context.Context, payload []byte) ([]byte, error) {
					if err := json.Unmarshal(payload, &asked); err != nil || asked.Release == "v1" {
						return []byte(`{"ok": true}`), err
					}

					time.Sleep(c.slow)

					return []byte(c.answer), c.err
				})
				w.live()
				w.second()

				if c.cause == "" {
					w.ends("v2", sm.Released)
					w.took("v2", good)
					w.stands("b", "v1", "v2")
				} else {
					w.ends("v2", sm.RolledBack)
					w.took("v2", strings.TrimSpace(deployed)+undone)
					w.weighed("v2", 0)
					w.stands("a", "v1", "v1")

					if cause := w.record("v2").Cause.Text; !strings.Contains(cause, c.cause) ||
						!strings.Contains(cause, teamsProbe) {
						t.Errorf("the cause is %q, expected %q", cause, c.cause)
					}
				}

				if want := (sm.ProbeQuestion{Environment: sm.B, Release: "v2", APIBase: origin + "/api-b",
					SiteURL: origin}); asked != want {
					t.Errorf("it was asked %+v, expected %+v", asked, want)
				}

				if seen := w.crowd.Report(); seen.Failed > 0 {
					t.Errorf("%d requests of viewers failed", seen.Failed)
				}
			}, asks)
		})
	}
}

func keepsOpen(o *stack.Options) {
	o.Drain.Then, o.Drain.HoldAtMost = sm.ThenHold, sm.Duration(8*time.Hour)
}

// left waits until the old environment is left and the word to contract is awaited.
func (w *world) left(release string) sm.Held {
	w.t.Helper()
	w.eventually(release+" is held by its drain", 2*time.Hour, func() bool {
		h := w.record(release).Held
		return h != nil && h.By == sm.HeldByDrain
	})

	return *w.record(release).Held
}

func TestDrain_HoldsUntilTheWord(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		// nobody has seen everyone on v2 yet: such a word takes no way back away
		w.operator(sm.SignalContract)

		h := w.left("v2")
		if !strings.HasPrefix(
			h.Why, "a has been quiet for 2m0s; unless told otherwise it contracts on ") {
			t.Errorf("held %+v", h)
		}

		time.Sleep(5 * time.Hour)
		w.left("v2")
		w.operator(sm.SignalContract)
		w.ends("v2", sm.Released)
		w.took("v2", good[:strings.Index(good, "Contract")]+strings.TrimPrefix(ended, "Promote Drain "))

		if said := w.said("v2", sm.Drain); len(said) != 2 {
			t.Errorf("announced %q", said)
		}

		w.stands("b", "v1", "v2")
	}, keepsOpen)
}

func TestDrain_HoldsForSoLong(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		until := *w.left("v2").Until
		w.endsWithin(9*time.Hour, "v2", sm.Released)

		if r := w.record("v2"); r.Ended.Before(until) || r.Ended.After(until.Add(3*time.Minute)) {
			t.Errorf("contracted %s, expected at %s", r.Ended, until)
		}

		w.stands("b", "v1", "v2")
	}, keepsOpen)
}

func TestDrain_HeldAndRolledBack(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.left("v2")
		time.Sleep(3 * time.Hour)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
	}, keepsOpen)
}
