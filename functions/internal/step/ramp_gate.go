package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// gate says what forbids the step from doc to next; nil where it may be taken. A step that was
// decided on is taken, whatever came since: the Lambda may have died after it set the weight. Of
// the operator's words, advance and promote pass a closed window, since somebody is there to
// watch; nothing passes a freeze or an approval but a hotfix.
func (r *Ramp) gate(ctx context.Context, doc, next sm.Document, record sm.Record) (*sm.Held,
	error) {
	if next.Weight <= doc.Weight || next.Weight <= record.Weight || doc.Hotfix {
		return nil, nil
	}

	now := time.Now().UTC()

	byHand := doc.Waived || record.PromotedByHand()
	if record.Paused() && !byHand {
		return ledger.HeldByOperator(record, now), nil
	}

	reason, err := r.Freeze.Reason(ctx)
	if err != nil {
		return nil, err
	}

	if reason != "" {
		since := now
		if record.HeldBy() == sm.HeldByFreeze {
			since = record.Held.Since
		}

		until := now.Add(relook(now.Sub(since)))

		return &sm.Held{By: sm.HeldByFreeze, Why: "frozen: " + reason, Since: now, Until: &until}, nil
	}

	if step := release.Approval(r.Settings.Ramp, doc.Step, next.Step); step > record.ApprovedStep() {
		weight, _ := release.RampStep(r.Settings.Ramp, step)

		held := &sm.Held{By: sm.HeldByApproval, Why: fmt.Sprintf("%s of the viewers need an approval",
			release.Percent(weight)), Since: now, Step: step}
		// a Lambda that died asked already, and may have its answer
		if record.HeldBy() == sm.HeldByApproval && record.Held.Step == step {
			held.Since = record.Held.Since
		}

		return held, nil
	}

	calendar, err := release.NewCalendar(r.Settings.Windows)
	if err != nil {
		return nil, err
	}

	if opens := calendar.Next(now); opens.After(now) && !byHand {
		return &sm.Held{By: sm.HeldByWindow, Why: "outside of the windows; the next one opens " +
			clock(opens, r.Settings.Windows), Since: now, Until: &opens}, nil
	}

	return nil, nil
}

// hold leaves the weight where it is, and the task token where whatever ends the hold finds it:
// the schedule, or a word. The machine then asks Ramp again. What held it before is not told
// again.
func (r *Ramp) hold(ctx context.Context, in sm.RampInput, record sm.Record,
	held *sm.Held) (sm.Document, error) {
	doc, next, now := in.Document, in.Document, time.Now().UTC()
	next.Verdict, next.Waived, next.Held, next.Holds = "", false, true, doc.Holds+1

	wait := &sm.Wait{TaskToken: in.TaskToken, Schedule: timer.BakeName(next), Since: now, Until: now,
		Document: next}
	if record.Wait != nil { // the next verdict is about all the time at this weight
		wait.Since = record.Wait.Since
	}

	if held.Until != nil {
		wait.Until = *held.Until
	} else {
		wait.Paused = &now
	}

	told := doc.Held && record.Held != nil && record.Held.By == held.By && record.Held.Why == held.Why
	if told {
		held.Since = record.Held.Since
	}

	leave := func(r *sm.Record) { r.Held, r.Wait = held, wait }
	before := record.Wait

	var err error
	if told {
		record, err = r.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error { leave(r); return nil })
	} else {
		record, err = r.Ledger.Append(ctx, doc, sm.Event{State: sm.Ramp, Kind: sm.EventHeld,
			Text: heldText(doc, held)}, leave)
	}

	if err != nil {
		return doc, err
	}

	r.unwind(ctx, before, wait)

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	if wait.Paused == nil {
		if err := timer.Start(ctx, r.Ledger, r.Schedules, doc.Release); err != nil {
			return doc, err
		}
	}
	// What ended the hold before the token lay there found nobody to tell, and no schedule to cancel.
	following, _, _, err := r.Next(doc, record)
	if err != nil {
		return doc, err
	}

	still, err := r.gate(ctx, doc, following, record)
	if err != nil {
		return doc, err
	}

	if still == nil {
		_, err := r.Answers.Succeed(ctx, in.TaskToken, next)
		timer.Cancel(ctx, r.Schedules, wait)

		return next, err
	}

	return next, nil
}

// again goes back to CheckAlarms after a hold: nobody is moved on a verdict of hours ago.
func (r *Ramp) again(ctx context.Context, in sm.RampInput) (sm.Document, error) {
	doc := in.Document

	doc.Held = false
	if _, err := r.Ledger.UpdateRecord(ctx, doc,
		func(r *sm.Record) error { r.Held = nil; return nil }); err != nil {
		return doc, err
	}

	_, err := r.Answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}

// relook is after how long a freeze is looked at again: events of parameters are delivered at best
// effort. The longer it lasts, the longer that is, since a history has 25,000 events and each look
// takes eight.
func relook(frozen time.Duration) time.Duration {
	return min(max(frozen/10, 5*time.Minute), 12*time.Hour)
}

func heldText(doc sm.Document, held *sm.Held) string {
	if doc.Weight == 0 {
		return "held before the first viewer: " + held.Why
	}

	return fmt.Sprintf("held at %s: %s", release.Percent(doc.Weight), held.Why)
}

// clock is a time as whoever wrote the first window reads it.
func clock(at time.Time, windows []sm.Window) string {
	if hours, err := windows[0].Hours(); err == nil {
		at = at.In(hours.Zone)
	}

	return at.Format("Mon 2 Jan 15:04 MST")
}
