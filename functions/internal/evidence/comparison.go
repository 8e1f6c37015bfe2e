package evidence

import (
	"context"
	"slices"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// comparison counts the criteria in both environments over the same whole periods.
type comparison struct {
	settings sm.Settings
	weights  []sm.WeightChange
	from, to time.Time
	period   time.Duration
}

func (c comparison) count(
	ctx context.Context, traffic Traffic, doc sm.Document, criteria []criterion,
) ([]release.Criterion, error) {
	const perCriterion = 4 // events and of, in active and in fallback

	series := make([]sm.Series, 0, perCriterion*len(criteria))
	for _, k := range criteria {
		for _, e := range []sm.Environment{doc.Active, doc.Fallback} {
			series = append(series, k.events.In(e), k.of.In(e))
		}
	}

	counts, err := traffic.Counts(ctx, series, c.period, c.from, c.to)
	if err != nil {
		return nil, err
	}

	counted := make([]release.Criterion, 0, len(criteria))

	for i, k := range criteria {
		k.Counted = c.to.Add(-MetricLag * c.period)
		k.Periods = c.periods(counts[perCriterion*i:perCriterion*(i+1)], k.since)
		counted = append(counted, k.Criterion)
	}

	return counted, nil
}

// periods are those in which either environment has data.
func (c comparison) periods(counts []map[int64]float64, since time.Time) []release.Period {
	var list []release.Period

	for at := c.from; at.Before(c.to); at = at.Add(c.period) {
		if at.Before(since) {
			continue
		}

		t := at.Unix()

		p := release.Period{
			At:     at,
			Active: tally(counts[0][t], counts[1][t]), Fallback: tally(counts[2][t], counts[3][t]),
			From: Share(c.weights, at.Add(-c.settings.EdgeConvergence.Std())),
			To:   Share(c.weights, at.Add(c.period)),
		}
		if p.Active.Of > 0 || p.Fallback.Of > 0 {
			list = append(list, p)
		}
	}

	return list
}

// tally takes a negative count for none: what a team counts may be taken back.
func tally(events, of float64) release.Tally {
	return release.Tally{Events: max(0, events), Of: max(0, of)}
}

// Share is the share of the viewers, 0 to 1, that active had by the ramp's word at a time.
func Share(weights []sm.WeightChange, at time.Time) float64 {
	for _, w := range slices.Backward(weights) {
		if !w.At.After(at) {
			return float64(w.Weight) / sm.FullWeight
		}
	}

	return 0
}
