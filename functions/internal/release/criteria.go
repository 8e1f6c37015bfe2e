package release

import (
	"fmt"
	"time"

	"lockstep/statemachine"
)

// coldStarts is the share of active's calls that may be slow because of cold starts.
const coldStarts = 0.02

// Errors is the criterion of the calls that the API failed.
func Errors(plan statemachine.VerdictPlan) Criterion {
	return Criterion{Name: "errors", Says: "%s of %s calls failed", Factor: 1,
		Margin: plan.Errors / 100, BaselineFactor: 2, BaselineMargin: 0.005}
}

// Latency is the criterion of the calls that took longer than so many milliseconds. One cold start
// of each function in each minute is excused: where calls are few, coldStarts does not cover it.
func Latency(plan statemachine.VerdictPlan, above float64, functions int,
	period time.Duration) Criterion {
	return Criterion{
		Name:   "latency",
		Says:   fmt.Sprintf("%%s of %%s calls took longer than %.4g ms", above),
		Factor: 1 + plan.Slow/100, Margin: coldStarts,
		BaselineFactor: 2, BaselineMargin: 0.05,
		Excused: float64(functions) * period.Minutes(),
	}
}
