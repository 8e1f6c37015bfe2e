package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// CheckAlarms says what the metrics say of active since the ramp began, as data: a Choice reads
// it. It changes nothing but the record. It returns AlarmBreached and OperatorRollback for signals
// that arrived while nobody waited.
type CheckAlarms struct {
	Ledger ledger.Ledger
	evidence.Collector
}

func (c *CheckAlarms) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := c.Ledger.Enter(ctx, doc, sm.CheckAlarms)
	if err != nil {
		return doc, err
	}

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	evidence, pace, err := c.Evidence(ctx, doc, record)
	if err != nil {
		return doc, err
	}

	judgement := release.Judge(evidence)
	verdict, why := judgement.Verdict, judgement.Why

	said := fmt.Sprintf("%s at %s: %s", verdict, release.Percent(doc.Weight), why)
	if verdict == sm.Inconclusive && doc.Waived {
		verdict, said = sm.Healthy, fmt.Sprintf("not judged at %s, since the operator does not wait for "+
			"more: %s", release.Percent(doc.Weight), why)
	}

	doc.Verdict = verdict
	if verdict == sm.Breached {
		doc.Failure = &sm.Failure{Error: judgement.Breach(), Cause: why, Alarm: judgement.Alarm}
	}

	_, err = c.Ledger.Append(ctx, doc, sm.Event{State: sm.CheckAlarms, Kind: sm.EventVerdict,
		Text: said, Verdict: verdict}, func(r *sm.Record) {
		if r.Pace == nil {
			r.Pace = pace
		}
	})

	return doc, err
}
