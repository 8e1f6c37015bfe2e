package step

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Traffic counts the calls of an environment's API stage.
type Traffic interface {
	Calls(ctx context.Context, e sm.Environment, since, until time.Time) (requests, errors float64, err error)
}

// CheckAlarms says what the metrics say of active since the bake began, as data: a Choice reads it. It
// changes nothing but the record. It returns AlarmBreached and OperatorRollback for signals that arrived
// while nobody waited.
type CheckAlarms struct {
	Book     Book
	Settings sm.Settings
	Alarms   AlarmStates
	Traffic  Traffic
}

func (c *CheckAlarms) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := c.Book.Enter(ctx, doc, sm.CheckAlarms)
	if err != nil {
		return doc, err
	}
	if err := interruption(record); err != nil {
		return doc, err
	}
	evidence, err := c.evidence(ctx, doc, record)
	if err != nil {
		return doc, err
	}
	judgement := release.Judge(evidence)
	verdict, why := judgement.Verdict, judgement.Why
	if verdict == sm.Inconclusive && doc.Waived {
		verdict, why = sm.Healthy, why+", and the operator does not wait for more"
	}
	doc.Verdict = verdict
	if verdict == sm.Breached {
		doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: why}
	}
	_, err = c.Book.Tell(ctx, doc, sm.CheckAlarms, fmt.Sprintf("%s at %s: %s", verdict, percent(doc.Weight), why))
	return doc, err
}

func (c *CheckAlarms) evidence(ctx context.Context, doc sm.Document, record sm.Record) (release.Evidence, error) {
	ringing, err := c.Alarms.Ringing(ctx, c.Settings.AlarmNames(doc.Active))
	if err != nil {
		return release.Evidence{}, fmt.Errorf("see which alarms ring: %w", err)
	}
	since := record.Began
	if record.Wait != nil {
		since = record.Wait.Since
	}
	evidence := release.Evidence{Ramp: since, Bake: since, Minimum: c.Settings.Ramp.MinimumRequests}
	for _, name := range ringing {
		if slices.Contains(record.Ringing, name) {
			evidence.Muted = append(evidence.Muted, name)
		} else {
			evidence.Ringing = append(evidence.Ringing, name)
		}
	}
	now, calls := time.Now(), release.Period{At: since}
	for e, tally := range map[sm.Environment]*release.Tally{doc.Active: &calls.Active, doc.Fallback: &calls.Fallback} {
		if tally.Of, tally.Events, err = c.Traffic.Calls(ctx, e, since, now); err != nil {
			return release.Evidence{}, fmt.Errorf("count the calls of %s: %w", e, err)
		}
	}
	evidence.Criteria = []release.Criterion{{Name: "errors", Says: "%s of %s calls failed", Factor: 1, Periods: []release.Period{calls}}}
	return evidence, nil
}
