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

// hold keeps the weight as it is, and stores the task token where the timer or a word that ends the
// hold finds it. The machine then calls Ramp again.
type hold struct {
	ledger    ledger.Ledger
	schedules timer.Schedules
	answers   machine.Answers
	gate      gate
}

func (h hold) wait(
	ctx context.Context, in sm.RampInput, before sm.Record, held *sm.Held,
) (sm.Document, error) {
	doc, next := in.Document, in.Document
	next.Verdict, next.Waived, next.Held, next.Holds = "", false, true, doc.Holds+1
	wait := heldWait(in.TaskToken, next, before, held)

	record, err := h.store(ctx, doc, before, held, wait)
	if err != nil {
		return doc, err
	}

	timer.CancelPrevious(ctx, h.schedules, before.Wait, wait)

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	if wait.Paused == nil {
		if err := timer.Start(ctx, h.ledger, h.schedules, doc.Release); err != nil {
			return doc, err
		}
	}

	return next, h.checkAgain(ctx, doc, record, wait)
}

// heldWait waits until the hold ends by itself, or for a word where it never does. The next
// verdict is about the whole time at this weight.
func heldWait(token string, next sm.Document, before sm.Record, held *sm.Held) *sm.Wait {
	now := time.Now().UTC()
	wait := &sm.Wait{
		TaskToken: token, Schedule: timer.BakeName(next), Since: now, Until: now, Document: next,
	}

	if before.Wait != nil {
		wait.Since = before.Wait.Since
	}

	if held.Until != nil {
		wait.Until = *held.Until
	} else {
		wait.Paused = &now
	}

	return wait
}

// store announces a hold once, however often it is looked at.
func (h hold) store(
	ctx context.Context, doc sm.Document, before sm.Record, held *sm.Held, wait *sm.Wait,
) (sm.Record, error) {
	change := func(r *sm.Record) { r.Held, r.Wait = held, wait }
	known := doc.Held && before.Held != nil &&
		before.Held.By == held.By && before.Held.Why == held.Why

	if known {
		held.Since = before.Held.Since

		return h.ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error { change(r); return nil })
	}

	where := "held at " + release.Percent(doc.Weight)
	if doc.Weight == 0 {
		where = "held before the first viewer"
	}

	event := sm.Event{
		State: sm.Ramp, Kind: sm.EventHeld, Text: fmt.Sprintf("%s: %s", where, held.Why),
	}

	return h.ledger.Append(ctx, doc, event, change)
}

// checkAgain is for what ended the hold before the token was stored: it found no token to answer
// and no timer to cancel.
func (h hold) checkAgain(
	ctx context.Context, doc sm.Document, record sm.Record, wait *sm.Wait,
) error {
	following, err := nextStep(h.gate.plan, doc, record)
	if err != nil {
		return err
	}

	still, err := h.gate.check(ctx, doc, following.doc, record)
	if err != nil || still != nil {
		return err
	}

	_, err = h.answers.Succeed(ctx, wait.TaskToken, wait.Document)
	timer.Cancel(ctx, h.schedules, wait)

	return err
}
