// Package evidence gathers what alarms and metrics say of a release. It decides nothing:
// release.Judge does.
package evidence

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Collector gathers the evidence. It changes nothing.
type Collector struct {
	Settings sm.Settings
	Alarms   AlarmStates
	Traffic  Traffic
}

// Evidence is everything since the ramp began. The pace that it was gathered by is returned too:
// the record keeps the first one. It returns Throttled, and whatever else CloudWatch answers.
func (c Collector) Evidence(
	ctx context.Context, doc sm.Document, record sm.Record,
) (release.Evidence, *sm.Pace, error) {
	now := time.Now()

	found := release.Evidence{
		Ramp: record.Began, Minimum: c.Settings.Ramp.MinimumRequests,
		Level: c.Settings.Verdict.FalseAlarms / 100,
	}
	if len(record.Weights) > 0 {
		found.Ramp = record.Weights[0].At
	}

	period := release.Resolution(c.Settings.MetricPeriod.Std(), now.Sub(found.Ramp.Add(-Baseline)))
	found.Ramp = found.Ramp.Truncate(period)
	found.Bake = bakeStart(c.Settings, record, found.Ramp, period)

	var err error

	found.Ringing, found.Muted, err = ringing(ctx, c.Settings, c.Alarms, doc.Active, record)
	if err != nil {
		return found, nil, err
	}

	slow := paces{c.Settings, c.Traffic, period}

	pace, err := slow.of(ctx, doc.Fallback, record, found.Ramp, now)
	if err != nil {
		return found, nil, err
	}

	comparison := comparison{
		settings: c.Settings, weights: record.Weights,
		from: found.Ramp.Add(-Baseline), to: now.Truncate(period), period: period,
	}

	found.Criteria, err = comparison.count(ctx, c.Traffic, doc, criteria(c.Settings, pace, period))
	if err != nil {
		return found, nil, fmt.Errorf("compare %s with %s: %w", doc.Active, doc.Fallback, err)
	}

	return found, pace, nil
}

// bakeStart is since when calls count for a verdict: since the bake began. The bakes of a ramp by
// harm budget are no longer than one look, so there it is since the ramp began and, where everyone
// has the release, since the last edge knows.
func bakeStart(
	settings sm.Settings, record sm.Record, ramp time.Time, period time.Duration,
) time.Time {
	if settings.Ramp.HarmBudget == 0 {
		if record.Wait == nil {
			return ramp
		}

		return record.Wait.Since.Truncate(period)
	}

	for _, change := range record.Weights {
		if change.Weight == sm.FullWeight {
			return change.At.Add(settings.EdgeConvergence.Std())
		}
	}

	return ramp
}
