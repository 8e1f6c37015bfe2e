package release

import (
	"math"
	"time"

	"lockstep/statemachine"
)

// RampStep is the weight, in basis points, and the bake of the n-th step of a plan, counted from 1.
// After the last step, and for a plan without steps, the weight is full and the bake 0.
func RampStep(plan statemachine.RampPlan, n int) (weight int, bake time.Duration) {
	if n < 1 || n > len(plan.Steps) {
		return statemachine.FullWeight, 0
	}

	step := plan.Steps[n-1]

	return int(math.Round(step.Percent * 100)), step.Bake.Std()
}

// Approval is the last step after step from, up to and including step to, that somebody must
// approve; 0 if there is none. Steps are counted from 1.
func Approval(plan statemachine.RampPlan, from, to int) int {
	for n := min(to, len(plan.Steps)); n > from; n-- {
		if plan.Steps[n-1].Approval {
			return n
		}
	}

	return 0
}
