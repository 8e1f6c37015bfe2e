package page

import (
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// These lists say how the page draws each state of the definition. A test checks that every state
// is in exactly the lists below, and that no list names a state that does not exist.
var (
	// mainStates are the states of a release that succeeds.
	mainStates = []string{
		"Begin", "Sync", "Expand", "Deploy", "Probe", "Ramp", "CheckAlarms", "Promote", "Drain",
		"Contract", "Finish",
	}
	// rollbackStates are the states of a rollback.
	rollbackStates = []string{"Rollback", "CallsInFlight", "UndoExpand"}
	// endStates end an execution. The page writes their names at the end of the line.
	endStates = []string{
		"Released", "Superseded", "Refused", "RolledBack", "RollbackFailed", "LostTheLock",
	}
	// hiddenStates take no time and are not drawn: they only choose the next state.
	hiddenStates = []string{"Begun", "Refuse", "Probed", "Baked", "Judged", "Drained", "Ended"}
	// waitStates are waits, each drawn at the station of another state.
	waitStates = map[string]string{"OldTabsOpen": "Drain"}
)

// machine is how far the execution is.
type machine struct {
	Release string    `json:"release"`
	Main    []station `json:"main"`
	Back    []station `json:"back"`
	// Furthest is the index in Main of the last station that was reached before any failure; -1 for
	// none.
	Furthest int `json:"furthest"`
	// Fork is the index in Main of the station at which the release failed; -1 for none.
	Fork int `json:"fork"`
	// End is the state in which the execution ended; "" while it runs. Good tells whether that is a
	// success.
	End  string `json:"end"`
	Good bool   `json:"good"`
}

// station is a state that the page draws.
type station struct {
	State string `json:"state"`
	Mark  string `json:"mark"` // "", "passed", "current" or "failed"
	Note  string `json:"note"`
}

// machineOf follows the states that an execution entered, in their order.
func machineOf(r sm.Record, path []string, plan sm.RampPlan) machine {
	t := tracer{
		machine: machine{Release: r.Release, Furthest: -1, Fork: -1},
		marks:   map[string]string{}, notes: map[string]string{},
	}

	for _, state := range path {
		t.follow(state)
	}

	m := t.machine
	if len(path) > 0 && m.Fork < 0 && (t.current == "Finish" || m.Good) {
		m.Furthest = len(mainStates) - 1
	}

	for _, station := range waitStates {
		if t.current != station {
			delete(t.notes, station)
		}
	}

	if t.current == "Ramp" || t.current == "CheckAlarms" {
		t.notes["Ramp"] = rampNote(r, plan)
	}

	m.Main, m.Back = t.stations(mainStates), t.stations(rollbackStates)

	return m
}

// tracer marks the stations while it follows an execution.
type tracer struct {
	machine machine
	current string
	marks   map[string]string // by station
	notes   map[string]string // by station
}

func (t *tracer) follow(state string) {
	m := &t.machine

	switch {
	case state == "Rollback":
		t.fail()
		t.enter(state)
	case state == "Refuse":
		t.fail()
	case waitStates[state] != "":
		t.enter(waitStates[state])
		t.notes[waitStates[state]] = "old tabs are open"
	case slices.Contains(endStates, state):
		if state == "RollbackFailed" || state == "LostTheLock" {
			t.marks[t.current] = "failed"
		}

		t.enter("")

		m.End, m.Good = state, state == "Released" || state == "Superseded"
	case slices.Contains(mainStates, state), slices.Contains(rollbackStates, state):
		t.enter(state)

		if state != "Finish" && m.Fork < 0 {
			m.Furthest = max(m.Furthest, slices.Index(mainStates, state))
		}
	}
}

func (t *tracer) enter(state string) {
	if t.marks[t.current] == "current" {
		t.marks[t.current] = "passed"
	}

	t.current, t.marks[state] = state, "current"
}

func (t *tracer) fail() {
	if t.current != "" && t.machine.Fork < 0 {
		t.machine.Fork = slices.Index(mainStates, t.current)
		t.marks[t.current] = "failed"
	}
}

func (t *tracer) stations(states []string) []station {
	list := make([]station, len(states))
	for i, state := range states {
		list[i] = station{state, t.marks[state], t.notes[state]}
	}

	return list
}

func rampNote(r sm.Record, plan sm.RampPlan) string {
	if stopped := stoppedBy(r); stopped != "" {
		return stopped + " at " + percent(r.Weight)
	}

	if n := len(plan.Steps); n > 0 && r.Wait != nil {
		return fmt.Sprintf("step %d of %d", min(max(r.Wait.Document.Step, 1), n), n)
	}

	return percent(r.Weight)
}

// pathOf derives the path of an execution from the record's events, for a snapshot that has no
// history of the execution. The states that make choices are missing from it.
func pathOf(r sm.Record) []string {
	var path []string

	for _, e := range attemptEvents(r) {
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

// attemptEvents are the events of the present attempt to release: a release may be tried again.
func attemptEvents(r sm.Record) []sm.Event {
	from := slices.IndexFunc(r.Events, func(e sm.Event) bool { return !e.At.Before(r.Began) })
	if from < 0 {
		return nil
	}

	return r.Events[from:]
}

func percent(weight int) string { return fmt.Sprintf("%g\u202f%%", float64(weight)/100) }
