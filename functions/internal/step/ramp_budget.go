package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// trafficWindow is how far back traffic counts for a harm budget: a day has every hour in it.
const trafficWindow = 24 * time.Hour

// budgetPlan makes the steps of a ramp that goes by a harm budget.
type budgetPlan struct {
	settings sm.Settings
	traffic  evidence.Traffic
}

// at is the plan with the step that was taken and the next one, and why the next one is what it
// is. A plan that has steps of its own stays as it is.
func (b budgetPlan) at(
	ctx context.Context, doc sm.Document, record sm.Record,
) (plan sm.RampPlan, why string, err error) {
	plan = b.settings.Ramp
	if plan.HarmBudget == 0 {
		return plan, "", nil
	}

	budget, seen, err := b.measure(ctx, doc, record)
	if err != nil {
		return plan, "", err
	}

	weight := nextWeight(budget, seen, doc, record)
	step := func(weight int) sm.RampStep {
		look := max(budget.Look(weight), sinceWeight(record, weight)/16, sinceRamp(record)/200)

		return sm.RampStep{
			Percent: float64(weight) / 100, Bake: sm.Duration(look.Round(time.Second)),
		}
	}

	plan.Steps = make([]sm.RampStep, doc.Step+1)
	if doc.Step > 0 {
		plan.Steps[doc.Step-1] = step(doc.Weight)
	}

	plan.Steps[doc.Step] = step(weight)
	plan.MaxExtensions *= release.LooksPerExtension

	if doc.Step == 0 {
		return plan, ": " + budget.String(), nil
	}

	return plan, fmt.Sprintf("; %.0f calls were seen", seen), nil
}

// nextWeight never falls. An operator who advances does not wait for as many calls; a step that was
// decided on is taken, whatever was seen since.
func nextWeight(budget release.Budget, seen float64, doc sm.Document, record sm.Record) int {
	if record.Step > doc.Step {
		return max(doc.Weight, record.Weight)
	}

	weight := max(budget.Weight(seen), doc.Weight, record.Weight)
	if doc.Waived && doc.Weight > 0 {
		weight = max(weight, min(2*doc.Weight, sm.FullWeight))
	}

	return weight
}

// measure is the budget at the traffic of the last day, and how many calls active had since the
// ramp began. The busiest time counts, so that viewers who come back in the morning are not too
// many.
func (b budgetPlan) measure(
	ctx context.Context, doc sm.Document, record sm.Record,
) (release.Budget, float64, error) {
	now := time.Now()

	ramp := now
	if len(record.Weights) > 0 {
		ramp = record.Weights[0].At
	}

	from := ramp.Add(-evidence.Baseline)
	period := release.Resolution(b.settings.MetricPeriod.Std(), now.Sub(from))
	calls := b.settings.Calls("Count", "Sum")
	series := []sm.Series{calls.In(doc.Active), calls.In(doc.Fallback)}

	counts, err := b.traffic.Counts(ctx, series, period, from.Truncate(period), now)
	if err != nil {
		return release.Budget{}, 0, fmt.Errorf("measure the traffic for the harm budget: %w", err)
	}

	seen, all := 0.0, map[int64]float64{}
	recent, began := now.Add(-trafficWindow).Unix(), ramp.Truncate(period).Unix()

	for i, environment := range counts {
		for at, n := range environment {
			if at >= recent {
				all[at] += n
			}

			if i == 0 && at >= began {
				seen += n
			}
		}
	}

	plan := b.settings.Ramp

	return release.Budget{
		Harm: plan.HarmBudget, Within: plan.Within.Std(), Minimum: plan.MinimumRequests,
		Traffic: release.Busiest(all, period), Period: b.settings.MetricPeriod.Std(),
		Converges: b.settings.EdgeConvergence.Std(),
	}, seen, nil
}

// sinceRamp is how long the ramp has taken so far, and sinceWeight how long active has had the
// weight. Looks become rarer with both, since an execution's history has 25,000 events: a ramp may
// take a week, and traffic may stay away for days.
func sinceRamp(record sm.Record) time.Duration { return sinceWeight(record, 0) }

func sinceWeight(record sm.Record, weight int) time.Duration {
	for _, w := range record.Weights {
		if w.Weight >= weight {
			return time.Since(w.At)
		}
	}

	return 0
}
