package page

import (
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// The states as the page draws them. A test holds these lists to the definition: every state is in
// one.
var (
	// mainLine is a release that goes well.
	mainLine = []string{"Begin", "Sync", "Expand", "Deploy", "Probe", "Ramp", "CheckAlarms", "Promote",
		"Drain", "Contract", "Finish"}
	// wayBack is one that does not.
	wayBack = []string{"Rollback", "CallsInFlight", "UndoExpand"}
	// ends are where an execution ends; the page writes them at the end of the line.
	ends = []string{"Released", "Superseded", "Refused", "RolledBack", "RollbackFailed", "LostTheLock"}
	// passed are gone through in no time and not drawn; what they choose is.
	passed = []string{"Begun", "Refuse", "Probed", "Baked", "Judged", "Drained", "Ended"}
	// within are waits that the page shows at the station they belong to.
	within = map[string]string{"OldTabsOpen": "Drain"}
)

// machine is how far the execution is.
type machine struct {
	Release string    `json:"release"`
	Main    []station `json:"main"`
	Back    []station `json:"back"`
	// Furthest is the index of the last station of the main line that was reached before any failure,
	// -1 for none; Fork is where the way back left it, -1 for nowhere.
	Furthest int    `json:"furthest"`
	Fork     int    `json:"fork"`
	End      string `json:"end"`
	Good     bool   `json:"good"`
}

// station is a state: Mark is "", "passed", "current" or "failed".
type station struct {
	State string `json:"state"`
	Mark  string `json:"mark"`
	Note  string `json:"note"`
}

func machineOf(r sm.Record, path []string, plan sm.RampPlan) machine {
	marks, notes := map[string]string{}, map[string]string{}
	m := machine{Release: r.Release, Furthest: -1, Fork: -1}
	current := ""
	enter := func(state string) {
		if marks[current] == "current" {
			marks[current] = "passed"
		}

		current, marks[state] = state, "current"
	}
	fail := func() {
		if current != "" && m.Fork < 0 {
			m.Fork = slices.Index(mainLine, current)
			marks[current] = "failed"
		}
	}

	for _, state := range path {
		switch {
		case state == "Rollback":
			fail()
			enter(state)
		case state == "Refuse":
			fail()
		case within[state] != "":
			enter(within[state])
			notes[within[state]] = "old tabs are open"
		case slices.Contains(ends, state):
			if state == "RollbackFailed" || state == "LostTheLock" {
				marks[current] = "failed"
			}

			enter("")

			m.End, m.Good = state, state == "Released" || state == "Superseded"
		case slices.Contains(mainLine, state), slices.Contains(wayBack, state):
			enter(state)

			if state != "Finish" && m.Fork < 0 {
				m.Furthest = max(m.Furthest, slices.Index(mainLine, state))
			}
		}
	}

	if len(path) > 0 && m.Fork < 0 && (current == "Finish" || m.Good) {
		m.Furthest = len(mainLine) - 1
	}

	for _, station := range within {
		if current != station {
			delete(notes, station)
		}
	}

	if current == "Ramp" || current == "CheckAlarms" {
		notes["Ramp"] = rampNote(r, plan)
	}

	m.Main, m.Back = stations(mainLine, marks, notes), stations(wayBack, marks, notes)

	return m
}

func stations(states []string, marks, notes map[string]string) []station {
	list := make([]station, len(states))
	for i, state := range states {
		list[i] = station{state, marks[state], notes[state]}
	}

	return list
}

func rampNote(r sm.Record, plan sm.RampPlan) string {
	if word := stopped(r); word != "" {
		return word + " at " + percent(r.Weight)
	}

	if n := len(plan.Steps); n > 0 && r.Wait != nil {
		return fmt.Sprintf("step %d of %d", min(max(r.Wait.Document.Step, 1), n), n)
	}

	return percent(r.Weight)
}

// pathOf reads a path from the record's story, where no history is at hand: the choices are
// missing.
func pathOf(r sm.Record) []string {
	var path []string
	for _, e := range attempt(r) {
		if state := string(e.State); len(path) == 0 || path[len(path)-1] != state {
			path = append(path, state)
		}
	}

	if state := string(r.State); r.Outcome == "" && len(path) > 0 && path[len(path)-1] != state {
		path = append(path, state)
	}

	switch r.Outcome {
	case sm.Released:
		path = append(path, "Released")
	case sm.RolledBack:
		path = append(path, "RolledBack")
	case sm.Refused:
		path = append(path, "Begin", "Refuse", "Finish", "Refused")
	case sm.Superseded:
		path = append(path, "Superseded")
	}

	return path
}

// attempt is the part of the story that tells of the present attempt: a release may be tried again.
func attempt(r sm.Record) []sm.Event {
	from := slices.IndexFunc(r.Events, func(e sm.Event) bool { return !e.At.Before(r.Began) })
	if from < 0 {
		return nil
	}

	return r.Events[from:]
}

func percent(weight int) string { return fmt.Sprintf("%g\u202f%%", float64(weight)/100) }
