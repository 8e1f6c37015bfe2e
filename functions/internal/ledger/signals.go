package ledger

import (
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// interruption is the signal that ends this release, if one arrived: an alarm of the active environment,
// or the operator's word. Whatever came while no token waited is found here by the next step.
func Interruption(r sm.Record) error {
	for _, s := range r.Signals {
		switch s.Kind {
		case sm.SignalAlarm:
			return sm.Errorf(sm.AlarmBreached, "%s", s.Reason)
		case sm.SignalRollback:
			return sm.Errorf(sm.OperatorRollback, "%s", s.Reason)
		}
	}
	return nil
}

// lastOf is the newest signal of the given kinds.
func LastSignal(r sm.Record, kinds ...sm.SignalKind) (sm.ReceivedSignal, bool) {
	for _, s := range slices.Backward(r.Signals) {
		if slices.Contains(kinds, s.Kind) {
			return s, true
		}
	}
	return sm.ReceivedSignal{}, false
}

// heldByOperator is what a pause makes of the release.
func HeldByOperator(r sm.Record, now time.Time) *sm.Held {
	last, _ := LastSignal(r, sm.SignalPause)
	return &sm.Held{By: sm.HeldByOperator, Why: "paused: " + last.Reason, Since: now}
}

// approved is the last step that was approved.
func Approved(r sm.Record) int {
	last := 0
	for _, s := range r.Signals {
		if s.Kind == sm.SignalApprove {
			last = max(last, s.Step)
		}
	}
	return last
}

func Paused(r sm.Record) bool {
	last, ok := LastSignal(r, sm.SignalPause, sm.SignalResume)
	return ok && last.Kind == sm.SignalPause
}

func Promoted(r sm.Record) bool {
	_, ok := LastSignal(r, sm.SignalPromote)
	return ok
}
