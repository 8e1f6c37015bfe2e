package config

import (
	"fmt"
	"math"
	"time"

	sm "lockstep/statemachine"
)

// checkShorthand checks a linear or exponential ramp before it is expanded, so that an error names
// the key in cdk.json and not an expanded step.
func (c Config) checkShorthand() error {
	if l := c.Ramp.Linear; l != nil && l.Every.Std() < time.Minute {
		return found("ramp.linear.every", l.Every, byTheMinute)
	}

	if e := c.Ramp.Exponential; e != nil && e.Bake.Std() < time.Minute {
		return found("ramp.exponential.bake", e.Bake, byTheMinute)
	}

	return nil
}

func (c Config) checkRamp() error {
	switch budget, within := c.Ramp.HarmBudget, c.Ramp.Within.Std(); {
	case budget == 0 && within != 0:
		return found("ramp.within", c.Ramp.Within,
			"none together with steps: their bakes determine how long the ramp takes")
	case budget != 0 && c.Ramp.Steps != nil:
		return found("ramp.harmBudget", budget, "none together with steps: a ramp has one or the other")
	case budget != 0 && !(budget >= 1 && budget <= 1e6):
		return found("ramp.harmBudget", budget, "1 to 1000000 (calls)")
	case budget != 0 && (within < 15*time.Minute || within > 7*24*time.Hour):
		return found("ramp.within", c.Ramp.Within, "15m to 168h")
	}

	last, err := c.checkSteps()
	if err != nil {
		return err
	}

	if last != 100 && c.Ramp.HarmBudget == 0 {
		return found(fmt.Sprintf("ramp.steps[%d].percent", max(0, len(c.Ramp.Steps)-1)), last,
			"100: a ramp ends with all viewers")
	}

	return c.checkBakes()
}

// checkSteps returns the percentage of the last step.
func (c Config) checkSteps() (last float64, err error) {
	for i, step := range c.Ramp.Steps {
		at := fmt.Sprintf("ramp.steps[%d]", i)

		switch {
		case !(step.Percent >= 0.01 && step.Percent <= 100):
			return 0, found(at+".percent", step.Percent, "0.01 to 100, in hundredths of a percent")
		case step.Percent < last:
			return 0, found(at+".percent", step.Percent, "at least %g, the step before it", last)
		case step.Bake.Std() < time.Minute:
			return 0, found(at+".bake", step.Bake, byTheMinute)
		case step.Approval && math.Round(step.Percent*100) == math.Round(last*100):
			return 0, found(at+".approval", step.Approval,
				"approval only for a step that grows")
		}

		last = step.Percent
	}

	return last, nil
}

func (c Config) checkBakes() error {
	if c.Ramp.MinimumRequests < 1 {
		return found("ramp.minimumRequests", c.Ramp.MinimumRequests,
			"at least 1: no data is never healthy")
	}

	if c.Ramp.MaxExtensions < 0 {
		return found("ramp.maxExtensions", c.Ramp.MaxExtensions, "0 or more")
	}

	if bakes := len(c.Ramp.Steps) * (1 + c.Ramp.MaxExtensions); bakes > maxBakes {
		steps := fmt.Sprintf("%d steps with %d extensions each", len(c.Ramp.Steps), c.Ramp.MaxExtensions)

		return found("ramp", steps,
			"at most %d bakes in total: an execution's history holds 25,000 events", maxBakes)
	}

	if c.Ramp.OnInconclusive != sm.Hold && c.Ramp.OnInconclusive != sm.RollBackUnsure {
		return found("ramp.onInconclusive", string(c.Ramp.OnInconclusive), "%q or %q",
			sm.Hold, sm.RollBackUnsure)
	}

	return nil
}

// maxBakes limits the ramp to 10,500 of the 25,000 events in an execution's history, 15 a bake. The
// rest is for the drain and for holds.
const maxBakes = 700

func (c Config) checkWindows() error {
	for i, w := range c.Windows {
		if _, err := w.Hours(); err != nil {
			return fmt.Errorf("windows[%d].%w", i, err)
		}
	}

	return nil
}
