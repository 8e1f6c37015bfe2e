package release

import (
	"fmt"
	"time"

	"lockstep/statemachine"
)

// coldStarts is the share of active's calls that may be slow because what serves them has only
// just been started.
const coldStarts = 0.02

// Errors compares the calls that the API failed.
func Errors(plan statemachine.VerdictPlan) Criterion {
	return Criterion{Name: "errors", Says: "%s of %s calls failed", Factor: 1,
		Margin: plan.Errors / 100, Drift: 2, Later: 0.005}
}

// Latency compares the calls that took longer than so many milliseconds. A cold start of each
// function in each minute is not held against a release either, where there are few calls.
func Latency(plan statemachine.VerdictPlan, above float64, functions int,
	period time.Duration) Criterion {
	return Criterion{
		Name: "latency", Says: fmt.Sprintf("%%s of %%s calls took longer than %.4g ms", above),
		Factor: 1 + plan.Slow/100, Margin: coldStarts, Drift: 2, Later: 0.05, Excused: float64(functions) * period.Minutes(),
	}
}
