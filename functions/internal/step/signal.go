package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Signal records what arrives from outside, an alarm or an operator's request, with the release
// under way, and answers the ramp's task token if one waits. Because it is recorded first, a
// signal is not lost where no token waits: the next step reads it. An event that comes twice is
// recorded once, and a token is good once.
type Signal struct {
	Ledger    ledger.Ledger
	Settings  sm.Settings
	Answers   machine.Answers
	Schedules timer.Schedules
	Freeze    Freeze
}

// Run says what became of an event. It returns StaleWrite where the event must be delivered again.
func (s *Signal) Run(ctx context.Context, event machine.Event) (SignalResult, error) {
	lock, err := s.Ledger.Lock(ctx)
	if err != nil {
		return SignalResult{}, fmt.Errorf("read the lock: %w", err)
	}

	ramp := rampControl{s.Ledger, s.Answers, s.Schedules}

	if event.DetailType == sm.DetailParameter {
		return s.parameter(ctx, lock, ramp)
	}

	if lock.Holder == nil {
		return SignalResult{Effect: SignalIgnored, Text: "no release is under way"}, nil
	}

	if event.Time.IsZero() { // somebody invoked the Lambda by hand
		event.Time = time.Now().UTC()
	}

	doc := sm.Document{
		Execution: lock.Holder.Execution, Release: lock.Holder.Release, Fence: lock.Fence,
	}

	result, err := s.dispatch(ctx, doc, event, ramp)
	result.Release = doc.Release

	return result, err
}

func (s *Signal) dispatch(
	ctx context.Context, doc sm.Document, event machine.Event, ramp rampControl,
) (SignalResult, error) {
	switch event.DetailType {
	case sm.DetailAlarm:
		return alarmSignal{s.Ledger, s.Settings, ramp}.receive(ctx, doc, event)
	case sm.DetailOperator:
		return operatorSignal{s.Ledger, s.Settings, ramp}.receive(ctx, doc, event)
	}

	return SignalResult{}, fmt.Errorf(
		"event %s: detail-type: found %q, expected %q, %q or %q",
		event.ID, event.DetailType, sm.DetailAlarm, sm.DetailOperator, sm.DetailParameter)
}

// parameter wakes whoever waits for the end of a freeze. An event may be late, so the parameter
// itself counts, not what the event says.
func (s *Signal) parameter(
	ctx context.Context, lock sm.Lock, ramp rampControl,
) (SignalResult, error) {
	reason, err := s.Freeze.Reason(ctx)
	if err != nil || reason != "" {
		return SignalResult{Effect: SignalIgnored, Text: "frozen: " + reason}, err
	}

	if lock.Holder == nil {
		return SignalResult{Effect: SignalAnswered,
				Text: "unfrozen: the next one in the queue may begin"},
			s.Ledger.NotifyQueue(ctx, s.Answers, true)
	}

	record, err := s.Ledger.Record(ctx, lock.Holder.Release)
	if err != nil || record.Wait == nil || record.HeldBy() != sm.HeldByFreeze {
		text := "unfrozen: " + lock.Holder.Release + " was not held by the freeze"

		return SignalResult{Release: lock.Holder.Release, Effect: SignalIgnored, Text: text}, err
	}

	return ramp.lookAgain(ctx, record)
}
