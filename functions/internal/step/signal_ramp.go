package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// rampControl answers the token on which a ramp waits. Where none waits, the next step reads the
// signal from the record.
type rampControl struct {
	ledger    ledger.Ledger
	answers   machine.Answers
	schedules timer.Schedules
}

// interrupt fails the waiting ramp.
func (c rampControl) interrupt(
	ctx context.Context, r sm.Record, name, cause string,
) (SignalResult, error) {
	if r.Wait == nil {
		return SignalResult{Effect: SignalRecorded, Text: cause}, nil
	}

	delivered, err := c.answers.Fail(ctx, r.Wait.TaskToken, name, cause)
	if err != nil {
		return SignalResult{}, fmt.Errorf("stop the ramp of %s: %w", r.Release, err)
	}

	if !delivered {
		return SignalResult{Effect: SignalRecorded, Text: "the bake was over already: " + cause}, nil
	}

	return SignalResult{Effect: SignalAnswered, Text: "the ramp stops: " + cause}, nil
}

// endBake ends the bake; Ramp and CheckAlarms read from the signals how far to go.
func (c rampControl) endBake(ctx context.Context, r sm.Record) (SignalResult, error) {
	if r.Wait == nil {
		return SignalResult{Effect: SignalRecorded, Text: "no bake is under way"}, nil
	}

	doc := r.Wait.Document
	doc.Waived = true

	if _, err := c.answers.Succeed(ctx, r.Wait.TaskToken, doc); err != nil {
		return SignalResult{}, fmt.Errorf("end the bake of %s: %w", r.Release, err)
	}

	return SignalResult{Effect: SignalAnswered, Text: "the bake is over"},
		c.schedules.Cancel(ctx, r.Wait.Schedule)
}

// approve lets Ramp look again, unless it is paused too.
func (c rampControl) approve(ctx context.Context, r sm.Record) (SignalResult, error) {
	if r.HeldBy() != sm.HeldByApproval {
		return SignalResult{Effect: SignalRecorded, Text: "approved"}, nil
	}

	return c.lookAgain(ctx, r)
}

// lookAgain ends a hold: Ramp looks again whether it may grow.
func (c rampControl) lookAgain(ctx context.Context, r sm.Record) (SignalResult, error) {
	if _, err := c.answers.Succeed(ctx, r.Wait.TaskToken, r.Wait.Document); err != nil {
		return SignalResult{}, fmt.Errorf("end the hold of %s: %w", r.Release, err)
	}

	return SignalResult{Release: r.Release, Effect: SignalAnswered, Text: "the ramp looks again"},
		c.schedules.Cancel(ctx, r.Wait.Schedule)
}

func (c rampControl) pause(
	ctx context.Context, doc sm.Document, r sm.Record,
) (SignalResult, error) {
	if r.Wait == nil {
		return SignalResult{Effect: SignalRecorded, Text: "the next bake will be paused"}, nil
	}

	if r.Wait.Paused == nil {
		event := sm.Event{
			State: sm.Ramp, Kind: sm.EventPaused, Text: "paused at " + release.Percent(r.Weight),
		}

		_, err := c.ledger.Append(ctx, doc, event, func(r *sm.Record) {
			now := time.Now().UTC()
			if r.Wait != nil && r.Wait.Paused == nil && r.Paused() {
				r.Wait.Paused, r.Held = &now, ledger.HeldByOperator(*r, now)
			}
		})
		if err != nil {
			return SignalResult{}, err
		}
	}

	return SignalResult{Effect: SignalAnswered, Text: "paused"},
		timer.Start(ctx, c.ledger, c.schedules, r.Release)
}

// resume gives the bake the time that was left when it was paused.
func (c rampControl) resume(
	ctx context.Context, doc sm.Document, r sm.Record,
) (SignalResult, error) {
	if r.Wait == nil {
		return SignalResult{Effect: SignalRecorded, Text: "no bake is paused"}, nil
	}

	if r.Wait.Document.Held {
		return c.lookAgain(ctx, r)
	}

	if r.Wait.Paused != nil {
		event := sm.Event{State: sm.Ramp, Kind: sm.EventResumed, Text: "resumed"}

		_, err := c.ledger.Append(ctx, doc, event, func(r *sm.Record) {
			if r.Wait == nil || r.Wait.Paused == nil || r.Paused() {
				return
			}

			left := r.Wait.Until.Sub(*r.Wait.Paused)
			r.Wait.Until, r.Wait.Paused, r.Held = time.Now().UTC().Add(left), nil, nil
		})
		if err != nil {
			return SignalResult{}, err
		}
	}

	return SignalResult{Effect: SignalAnswered, Text: "resumed"},
		timer.Start(ctx, c.ledger, c.schedules, r.Release)
}
