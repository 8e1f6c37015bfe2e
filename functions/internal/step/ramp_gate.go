package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// gate says what forbids a step of the ramp: a pause, a freeze, a missing approval, a closed
// window.
type gate struct {
	plan    sm.RampPlan
	windows []sm.Window
	freeze  Freeze
}

// check returns the hold that forbids the step from doc to next; nil where it may be taken. A step
// that was decided on is taken, whatever came since: the Lambda may have died after it set the
// weight. Of the operator's words, advance and promote pass a pause and a closed window, since
// somebody is there to watch. A hotfix passes everything; nothing else passes a freeze or an
// approval.
func (g gate) check(
	ctx context.Context, doc, next sm.Document, record sm.Record,
) (*sm.Held, error) {
	if next.Weight <= doc.Weight || next.Weight <= record.Weight || doc.Hotfix {
		return nil, nil
	}

	now := time.Now().UTC()
	byHand := doc.Waived || record.PromotedByHand()

	if record.Paused() && !byHand {
		return ledger.HeldByOperator(record, now), nil
	}

	reason, err := g.freeze.Reason(ctx)
	if err != nil {
		return nil, err
	}

	if reason != "" {
		return frozenHold(record, reason, now), nil
	}

	step := release.Approval(g.plan, doc.Step, next.Step)
	if step > record.ApprovedStep() {
		return g.approvalHold(record, step, now), nil
	}

	calendar, err := release.NewCalendar(g.windows)
	if err != nil {
		return nil, err
	}

	if opens := calendar.Next(now); opens.After(now) && !byHand {
		why := "outside of the windows; the next one opens " + windowTime(opens, g.windows)

		return &sm.Held{By: sm.HeldByWindow, Why: why, Since: now, Until: &opens}, nil
	}

	return nil, nil
}

func frozenHold(record sm.Record, reason string, now time.Time) *sm.Held {
	since := now
	if record.HeldBy() == sm.HeldByFreeze {
		since = record.Held.Since
	}

	until := now.Add(nextFreezeLook(now.Sub(since)))

	return &sm.Held{By: sm.HeldByFreeze, Why: "frozen: " + reason, Since: now, Until: &until}
}

// approvalHold keeps the time of an earlier request for the same step: a Lambda that died may have
// asked already, and may have its answer.
func (g gate) approvalHold(record sm.Record, step int, now time.Time) *sm.Held {
	weight, _ := release.RampStep(g.plan, step)
	why := fmt.Sprintf("%s of the viewers need an approval", release.Percent(weight))
	held := &sm.Held{By: sm.HeldByApproval, Why: why, Since: now, Step: step}

	if record.HeldBy() == sm.HeldByApproval && record.Held.Step == step {
		held.Since = record.Held.Since
	}

	return held
}

// windowTime is a time in the zone of the first window.
func windowTime(at time.Time, windows []sm.Window) string {
	if hours, err := windows[0].Hours(); err == nil {
		at = at.In(hours.Zone)
	}

	return at.Format("Mon 2 Jan 15:04 MST")
}
