package evidence

import (
	"fmt"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// criterion is something to compare, and the series that it is made of.
type criterion struct {
	release.Criterion

	events, of sm.Series
	since      time.Time // when it began to be known what counts
}

// criteria are all that is compared: what fails, what is slow, and what the team names.
func criteria(settings sm.Settings, pace *sm.Pace, period time.Duration) []criterion {
	calls := settings.Calls("Count", "Sum")
	list := []criterion{{
		Criterion: release.Errors(settings.Verdict),
		events:    settings.Calls("5XXError", "Sum"), of: calls,
	}}

	if pace != nil {
		functions := len(settings.Functions)
		list = append(list, criterion{
			Criterion: release.Latency(settings.Verdict, pace.Above, functions, period),
			events:    settings.Calls("Latency", fmt.Sprintf("TC(%.10g:)", pace.Above)), of: calls,
			since: pace.Since,
		})
	}

	for _, m := range settings.Metrics {
		list = append(list, named(m, calls))
	}

	return list
}

// named is the criterion of a metric that the team names; it counts per call where the team does
// not say of what.
func named(m sm.Metric, calls sm.Series) criterion {
	c := criterion{
		Criterion: release.Criterion{
			Name: m.Name, Says: "%s " + m.Name + " of %s", Factor: 1 + m.Tolerance/100, BaselineFactor: 3,
		},
		events: m.Events, of: m.Of,
	}

	if m.Better == sm.Higher {
		c.Fewer, c.Factor = true, 1-m.Tolerance/100
	}

	if m.Of.Metric == "" {
		c.of, c.Says = calls, "%s "+m.Name+" in %s calls"
	}

	return c
}
