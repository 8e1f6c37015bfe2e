package page

import (
	"encoding/json"
	"slices"
	"testing"

	sm "lockstep/statemachine"
)

func TestMachine_DrawsEveryStateOfTheDefinition(t *testing.T) {
	var definition struct{ States map[string]any }
	if err := json.Unmarshal([]byte(sm.Definition), &definition); err != nil {
		t.Fatal(err)
	}

	drawn := slices.Concat(mainStates, rollbackStates, endStates, hiddenStates)
	for state := range waitStates {
		drawn = append(drawn, state)
	}

	for state := range definition.States {
		if !slices.Contains(drawn, state) {
			t.Errorf("the page does not draw the state %s of the definition", state)
		}
	}

	for _, state := range drawn {
		if _, ok := definition.States[state]; !ok {
			t.Errorf("the page draws the state %s, which the definition does not have", state)
		}
	}
}

func TestMachine_Path(t *testing.T) {
	up := []string{"Begin", "Begun", "Sync", "Expand", "Deploy", "Probe", "Probed", "Ramp"}

	tests := []struct {
		name           string
		path           []string
		furthest, fork int
		end            string
		marks          map[string]string
	}{
		{"nothing yet", nil, -1, -1, "", map[string]string{"Begin": ""}},
		{"on the ramp", up, 5, -1, "", map[string]string{"Probe": "passed", "Ramp": "current",
			"CheckAlarms": ""}},
		{"old tabs", append(slices.Clone(up), "CheckAlarms", "Judged", "Promote", "Drain", "Drained",
			"OldTabsOpen"), 8, -1, "", map[string]string{"Drain": "current"}},
		{"an alarm on the ramp", append(slices.Clone(up), "Rollback"), 5, 5, "",
			map[string]string{"Ramp": "failed", "Rollback": "current"}},
		{"rolled back", append(slices.Clone(up), "Rollback", "CallsInFlight", "UndoExpand", "Finish",
			"Ended", "RolledBack"), 5, 5, "RolledBack",
			map[string]string{"Ramp": "failed", "UndoExpand": "passed", "Finish": "passed", "Contract": ""}},
		{"released", append(slices.Clone(up), "CheckAlarms", "Judged", "Promote", "Drain", "Drained",
			"Contract", "Finish", "Ended", "Released"), 10, -1, "Released",
			map[string]string{"Ramp": "passed", "Finish": "passed"}},
		{"refused", []string{"Begin", "Refuse", "Finish", "Ended", "Refused"}, 0, 0, "Refused",
			map[string]string{"Begin": "failed", "Finish": "passed"}},
		{"a failed rollback", append(slices.Clone(up), "Rollback", "RollbackFailed"), 5, 5,
			"RollbackFailed",
			map[string]string{"Ramp": "failed", "Rollback": "failed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machineOf(sm.Record{}, test.path, sm.RampPlan{})
			if m.Furthest != test.furthest || m.Fork != test.fork || m.End != test.end {
				t.Errorf("got furthest %d, fork %d, end %q, want %d, %d, %q", m.Furthest, m.Fork, m.End,
					test.furthest, test.fork, test.end)
			}

			for _, s := range slices.Concat(m.Main, m.Back) {
				if want, ok := test.marks[s.State]; ok && s.Mark != want {
					t.Errorf("%s is marked %q, want %q", s.State, s.Mark, want)
				}
			}
		})
	}
}

func TestMachine_OldTabsAreOpenOnlyWhileItDrains(t *testing.T) {
	path := []string{"Begin", "Promote", "Drain", "Drained", "OldTabsOpen"}
	for _, next := range [][]string{nil, {"Drain", "Drained"}, {"Drain", "Drained", "Contract"},
		{"Drain", "Drained", "Contract", "Finish", "Ended", "Released"}} {
		m := machineOf(sm.Record{}, slices.Concat(path, next), sm.RampPlan{})
		note := m.Main[slices.Index(mainStates, "Drain")].Note

		if draining := len(next) < 3; draining != (note != "") {
			t.Errorf("after %v: Drain has the note %q", next, note)
		}
	}
}

func TestMachine_PathFromEvents(t *testing.T) {
	full := run.at(70)
	path := pathOf(full.Records[2])

	want := []string{"Begin", "Sync", "Expand", "Deploy", "Probe", "Ramp", "CheckAlarms", "Ramp",
		"Rollback", "UndoExpand", "Finish", "RolledBack"}
	if !slices.Equal(path, want) {
		t.Errorf("got  %v\nwant %v", path, want)
	}
}
