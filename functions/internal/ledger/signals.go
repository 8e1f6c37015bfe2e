package ledger

import (
	"time"

	sm "lockstep/statemachine"
)

// Interruption is the signal that ends this release, if one arrived: AlarmBreached for an alarm of
// the active environment, OperatorRollback for the operator's word. What came while no task token
// waited is found here by the next step.
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

// HeldByOperator is the hold that a pause makes.
func HeldByOperator(r sm.Record, now time.Time) *sm.Held {
	last, _ := r.LastSignal(sm.SignalPause)

	return &sm.Held{By: sm.HeldByOperator, Why: "paused: " + last.Reason, Since: now}
}
