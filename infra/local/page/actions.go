package page

import (
	"slices"

	sm "lockstep/statemachine"
)

// These actions are not signals to the release under way: one starts a release, the other two
// switch the freeze of all releases on and off.
const (
	release  = "release"
	freeze   = "freeze"
	unfreeze = "unfreeze"
)

// allActions lists what the page may ask for.
func allActions() []string {
	return []string{
		string(sm.SignalPause), string(sm.SignalResume), string(sm.SignalAdvance),
		string(sm.SignalPromote), string(sm.SignalApprove), string(sm.SignalContract),
		string(sm.SignalRollback), freeze, unfreeze, release,
	}
}

func isAction(name string) bool { return slices.Contains(allActions(), name) }

// actionsOf lists the actions that have an effect now. The page disables the others.
func actionsOf(s Snapshot, r sm.Record) []string {
	list := []string{}

	if s.Control != (sm.Control{}) {
		if s.Frozen != "" {
			list = append(list, unfreeze)
		} else {
			list = append(list, freeze)
		}
	}

	if r.Release == "" || r.Outcome != "" || rollsBack(r) {
		return list
	}

	if r.State == sm.Ramp || r.State == sm.CheckAlarms {
		list = append(list, rampActions(r)...)
	}

	if r.HeldBy() == sm.HeldByDrain {
		list = append(list, string(sm.SignalContract))
	}

	if !r.Contracted && r.State != sm.Contract && r.State != sm.Finish {
		list = append(list, string(sm.SignalRollback))
	}

	return list
}

func rampActions(r sm.Record) []string {
	pauseOrResume := sm.SignalPause
	paused := r.Wait != nil && r.Wait.Paused != nil

	switch heldBy := r.HeldBy(); {
	case heldBy == sm.HeldByApproval:
		return []string{string(sm.SignalApprove)}
	case heldBy == sm.HeldByFreeze:
		return nil
	case heldBy == sm.HeldByOperator, heldBy == sm.HeldByVerdict, heldBy == "" && paused:
		pauseOrResume = sm.SignalResume
	}

	return []string{string(pauseOrResume), string(sm.SignalAdvance), string(sm.SignalPromote)}
}
