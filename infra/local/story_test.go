package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/infra/local/cloud/events"
	sm "lockstep/statemachine"
)

func told(out *bytes.Buffer) *story {
	return &story{out: out, began: time.Now(), ends: map[string]chan struct{}{},
		finished: map[string]string{}, rollbacks: map[string][]span{},
		rang: map[string]time.Time{}, answers: map[string]time.Time{}}
}

func TestStory_RolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := told(&bytes.Buffer{})
		before := time.Now()

		time.Sleep(time.Second)
		s.tell(sm.StateChange{Release: "v3", State: sm.Rollback, Kind: sm.EventRollingBack,
			Text: "rolling back: an alarm"})
		time.Sleep(time.Second)

		during := time.Now()
		if !s.rolledBack("v3", during, during) {
			t.Error("while it runs, the rollback does not cover now")
		}

		time.Sleep(time.Second)
		s.tell(sm.StateChange{Release: "v3", State: sm.Rollback, Text: "everyone is back on v2"})
		time.Sleep(time.Second)

		after := time.Now()
		for name, c := range map[string]struct {
			release        string
			opened, closed time.Time
			want           bool
		}{
			"closed before it began": {"v3", before.Add(-time.Second), before, false},
			"open when it began":     {"v3", before, during, true},
			"open throughout":        {"v3", before, after, true},
			"opened after it ended":  {"v3", after, after.Add(time.Second), false},
			"of another release":     {"v2", before, after, false},
		} {
			if got := s.rolledBack(c.release, c.opened, c.closed); got != c.want {
				t.Errorf("%s: got %v, want %v", name, got, c.want)
			}
		}
	})
}

func TestStory_TellsOnceAndEnds(t *testing.T) {
	var out bytes.Buffer

	s := told(&out)

	ended := s.end("v2")
	for range 2 { // the bus delivers at least once
		s.tell(sm.StateChange{Release: "v2", Execution: "arn:v2", State: sm.Finish,
			Text: "v2 is released", Outcome: sm.Released})
	}

	select {
	case <-ended:
		t.Error("the end of v2 is seen before its execution has ended")
	default:
	}

	for _, status := range []string{"RUNNING", "SUCCEEDED", "SUCCEEDED"} {
		s.over(events.Event{Detail: json.RawMessage(`{"executionArn":"arn:v2","status":"` + status +
			`"}`)})
	}

	select {
	case <-ended:
	default:
		t.Error("the end of v2 is not seen")
	}

	if got := strings.Count(out.String(), "v2 is released"); got != 1 {
		t.Errorf("told %d times, want once:\n%s", got, out.String())
	}
}

// A run that goes on tells and judges as the one before would have: whose execution ends now, and
// which views were open in a rollback.
func TestStory_Recalls(t *testing.T) {
	began := time.Now().Add(-time.Minute)
	s := told(&bytes.Buffer{})
	s.recall([]sm.Record{
		{Release: "v1", Execution: "arn:v1", Outcome: sm.Released},
		{Release: "v2", Execution: "arn:v2", Events: []sm.Event{
			{At: began, State: sm.Ramp, Text: "5 % of the viewers"}, {At: began.Add(time.Second),
				State: sm.Rollback, Kind: sm.EventRollingBack, Text: "rolling back: an alarm"},
		}},
	})

	if got := s.releases(); !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("it knows of %v", got)
	}

	if now := time.Now(); !s.rolledBack("v2", now, now) || s.rolledBack("v2", began, began) ||
		s.rolledBack("v1", now, now) {
		t.Error("the rollback of v2 is not the one that is under way")
	}

	ended := s.end("v1")
	s.over(events.Event{Detail: json.RawMessage(`{"executionArn":"arn:v1","status":"SUCCEEDED"}`)})

	select {
	case <-ended:
	default:
		t.Error("the end of v1 is not seen")
	}
}
