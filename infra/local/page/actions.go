package page

import (
	"slices"

	sm "lockstep/statemachine"
)

// release is the one action that is not a signal to the release under way.
const release = "release"

func actions() []string {
	return []string{string(sm.SignalPause), string(sm.SignalResume), string(sm.SignalAdvance), string(sm.SignalPromote), string(sm.SignalRollback), release}
}

func known(action string) bool { return slices.Contains(actions(), action) }

// actionsOf says which of the operator's words mean something now.
func actionsOf(r sm.Record) []string {
	list := []string{}
	if r.Release == "" || r.Outcome != "" {
		return list
	}
	if slices.ContainsFunc(attempt(r), func(e sm.Entry) bool { return e.State == sm.Rollback }) {
		return list
	}
	if r.State == sm.Ramp || r.State == sm.CheckAlarms {
		if r.Wait != nil && r.Wait.Paused != nil {
			list = append(list, string(sm.SignalResume))
		} else {
			list = append(list, string(sm.SignalPause))
		}
		list = append(list, string(sm.SignalAdvance), string(sm.SignalPromote))
	}
	if !r.Contracted && r.State != sm.Contract && r.State != sm.Finish {
		list = append(list, string(sm.SignalRollback))
	}
	return list
}
