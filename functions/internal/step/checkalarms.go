package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// CheckAlarms says what alarms and metrics say of active since the ramp began, as data: a Choice
// reads it. It writes the record and nothing else, so it may run any number of times. It returns
// AlarmBreached and OperatorRollback for signals that arrived while no token waited.
type CheckAlarms struct {
	Ledger ledger.Ledger
	evidence.Collector
}

// Run puts the verdict into the document, and the failure where it is breached.
func (c *CheckAlarms) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := c.Ledger.Enter(ctx, doc, sm.CheckAlarms)
	if err != nil {
		return doc, err
	}

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	found, pace, err := c.Evidence(ctx, doc, record)
	if err != nil {
		return doc, err
	}

	judgement := release.Judge(found)
	verdict := judgement.Verdict
	text := fmt.Sprintf("%s at %s: %s", verdict, release.Percent(doc.Weight), judgement.Why)

	if verdict == sm.Inconclusive && doc.Waived {
		verdict = sm.Healthy
		text = fmt.Sprintf("not judged at %s, since the operator does not wait for more: %s",
			release.Percent(doc.Weight), judgement.Why)
	}

	doc.Verdict = verdict
	if verdict == sm.Breached {
		doc.Failure = &sm.Failure{
			Error: judgement.Breach(), Cause: judgement.Why, Alarm: judgement.Alarm,
		}
	}

	event := sm.Event{
		State: sm.CheckAlarms, Kind: sm.EventVerdict, Text: text, Verdict: judgement.Verdict,
	}
	_, err = c.Ledger.Append(ctx, doc, event, func(r *sm.Record) {
		if r.Pace == nil {
			r.Pace = pace
		}
	})

	return doc, err
}
