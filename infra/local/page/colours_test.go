package page

import (
	"fmt"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

func TestColours_StayWithTheirRelease(t *testing.T) {
	var c colours

	s := run.at(16)
	first := c.assign(s)["v2"]
	s.Records[0].Sequence, s.Records[0].Began = 9, s.Now // v1 is released again
	s.Records = append([]sm.Record{{Release: "b5", Began: s.Now.Add(time.Second)}}, s.Records...)

	got := c.assign(s)
	if got["v1"] != 0 || got["v2"] != first || got["b5"] != 2 {
		t.Errorf("got %v, want v1, v2 and b5 in the order in which they first began", got)
	}
}

func TestColours_DifferFromTheEnvironments(t *testing.T) {
	var c colours

	s := Snapshot{Environments: map[sm.Environment]sm.EnvironmentState{sm.A: {Release: "q0"},
		sm.B: {Release: "q1"}}}

	for i := range 3 * palette {
		name := fmt.Sprintf("q%d", i)
		s.Records = append(s.Records, sm.Record{Release: name, Began: time.Unix(int64(i), 0)})

		of := c.assign(s)
		for _, there := range []string{"q0", "q1", fmt.Sprintf("q%d", i-1)} {
			if taken, ok := of[there]; ok && there != name && taken == of[name] {
				t.Errorf("%s and %s have the same colour", name, there)
			}
		}
	}
}
