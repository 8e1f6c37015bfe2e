package page

import (
	"slices"

	sm "lockstep/statemachine"
)

// What is no signal to the release under way: a release of its own, and the switch that holds them
// all.
const (
	release  = "release"
	freeze   = "freeze"
	unfreeze = "unfreeze"
)

func actions() []string {
	return []string{string(sm.SignalPause), string(sm.SignalResume), string(sm.SignalAdvance),
		string(sm.SignalPromote), string(sm.SignalApprove),
		string(sm.SignalContract), string(sm.SignalRollback), freeze, unfreeze, release}
}

func known(action string) bool { return slices.Contains(actions(), action) }

// actionsOf says which of the operator's words mean something now.
func actionsOf(s Snapshot, r sm.Record) []string {
	list := []string{}
	if s.Control != (sm.Control{}) {
		list = append(list, map[bool]string{true: unfreeze, false: freeze}[s.Frozen != ""])
	}

	if r.Release == "" || r.Outcome != "" {
		return list
	}

	if slices.ContainsFunc(attempt(r), func(e sm.Event) bool { return e.State == sm.Rollback }) {
		return list
	}

	if r.State == sm.Ramp || r.State == sm.CheckAlarms {
		list = append(list, rampActions(r)...)
	}

	if heldBy(r) == sm.HeldByDrain {
		list = append(list, string(sm.SignalContract))
	}

	if !r.Contracted && r.State != sm.Contract && r.State != sm.Finish {
		list = append(list, string(sm.SignalRollback))
	}

	return list
}

func rampActions(r sm.Record) []string {
	word := sm.SignalPause

	switch held := heldBy(r); {
	case held == sm.HeldByApproval:
		return []string{string(sm.SignalApprove)}
	case held == sm.HeldByFreeze:
		return nil
	case held == sm.HeldByOperator, held == sm.HeldByVerdict, held == "" && r.Wait != nil &&
		r.Wait.Paused != nil:
		word = sm.SignalResume
	}

	return []string{string(word), string(sm.SignalAdvance), string(sm.SignalPromote)}
}

func heldBy(r sm.Record) sm.HeldBy {
	if r.Held == nil {
		return ""
	}

	return r.Held.By
}
