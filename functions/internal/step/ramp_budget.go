package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// byBudget is this Ramp with the steps that a harm budget comes to just now: the one that it has
// taken, and the next. What it adds is why.
func (r *Ramp) byBudget(ctx context.Context, doc sm.Document, record sm.Record) (_ *Ramp,
	why string, err error) {
	plan := r.Settings.Ramp
	if plan.HarmBudget == 0 {
		return r, "", nil
	}

	budget, seen, err := r.measure(ctx, doc, record)
	if err != nil {
		return nil, "", err
	}

	weight := max(budget.Weight(seen), doc.Weight, record.Weight) // the ramp never falls
	// the operator does not wait for as many calls
	if doc.Waived && doc.Weight > 0 {
		weight = max(weight, min(2*doc.Weight, sm.FullWeight))
	}

	if record.Step > doc.Step { // decided, whatever was seen since: see gate
		weight = max(doc.Weight, record.Weight)
	}

	step := func(weight int) sm.RampStep {
		look := max(budget.Look(weight), stalled(record, weight)/16, ramped(record)/200)
		return sm.RampStep{Percent: float64(weight) / 100, Bake: sm.Duration(look.Round(time.Second))}
	}

	plan.Steps = make([]sm.RampStep, doc.Step+1)
	if doc.Step > 0 {
		plan.Steps[doc.Step-1] = step(doc.Weight)
	}

	plan.Steps[doc.Step] = step(weight)
	plan.MaxExtensions *= release.LooksPerExtension
	planned := *r

	planned.Settings.Ramp = plan
	if doc.Step == 0 {
		return &planned, ": " + budget.String(), nil
	}

	return &planned, fmt.Sprintf("; %.0f calls were seen", seen), nil
}

// measure is the budget at the traffic of the last hour and since, and how many calls active had
// of it. The most counts that there was, so that viewers who come back in the morning are not too
// many.
func (r *Ramp) measure(ctx context.Context, doc sm.Document, record sm.Record) (release.Budget,
	float64, error) {
	now := time.Now()

	ramp := now
	if weights := record.Weights; len(weights) > 0 {
		ramp = weights[0].At
	}

	period := release.Resolution(r.Settings.MetricPeriod.Std(), now.Sub(ramp.Add(-evidence.Baseline)))
	calls := r.Settings.Calls("Count", "Sum")

	counts, err := r.Traffic.Counts(ctx, []sm.Series{calls.In(doc.Active), calls.In(doc.Fallback)},
		period, ramp.Add(-evidence.Baseline).Truncate(period), now)
	if err != nil {
		return release.Budget{}, 0, fmt.Errorf("measure the traffic for the harm budget: %w", err)
	}

	seen, all := 0.0, map[int64]float64{}

	for i, environment := range counts {
		for at, n := range environment {
			if at >= now.Add(-lately).Unix() {
				all[at] += n
			}

			if i == 0 && at >= ramp.Truncate(period).Unix() {
				seen += n
			}
		}
	}

	plan := r.Settings.Ramp

	return release.Budget{
		Harm: plan.HarmBudget, Within: plan.Within.Std(), Minimum: plan.MinimumRequests, Traffic: release.Busiest(all, period),
		Period: r.Settings.MetricPeriod.Std(), Converges: r.Settings.EdgeConvergence.Std(),
	}, seen, nil
}

// lately is how far back traffic counts: a day has every hour in it.
const lately = 24 * time.Hour

// ramped is how long the ramp has taken so far, and stalled how long the weight has been what it
// is. Looks become rarer with both, since a history has 25,000 events: a ramp may take a week, and
// traffic may stay away for days.
func ramped(record sm.Record) time.Duration {
	if weights := record.Weights; len(weights) > 0 {
		return time.Since(weights[0].At)
	}

	return 0
}

func stalled(record sm.Record, weight int) time.Duration {
	for _, w := range record.Weights {
		if w.Weight >= weight {
			return time.Since(w.At)
		}
	}

	return 0
}
