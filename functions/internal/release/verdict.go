package release

import (
	"fmt"
	"math"
	"strings"

	"lockstep/statemachine"
)

// Evidence is what the metrics had to say during a bake.
type Evidence struct {
	Ringing []string // alarms of the active environment, less those that rang before the release
	Muted   []string // those that rang before, and ring still
	Active  Calls
	// Fallback is what the other environment was asked over the same minutes.
	Fallback Calls
	Minimum  int // of active's calls, for a verdict
}

// Calls counts the calls of an API stage, and those that it failed.
type Calls struct{ Requests, Errors float64 }

func (c Calls) String() string { return fmt.Sprintf("%.0f of %.0f calls failed", c.Errors, c.Requests) }

// Judge weighs the evidence and says why. No data is never healthy. Alarms alone would let a release pass
// whose alarm rang before it began, so the errors are compared with the fallback's as well.
func Judge(e Evidence) (statemachine.Verdict, string) {
	enough := e.Active.Requests >= float64(e.Minimum)
	switch {
	case len(e.Ringing) > 0:
		return statemachine.Breached, fmt.Sprintf("alarm %s rings: %s", strings.Join(e.Ringing, ", "), e.Active)
	case e.Active.Requests == 0:
		return statemachine.Inconclusive, "no calls were measured: no data is not health"
	case enough && worse(e.Active, e.Fallback):
		return statemachine.Breached, fmt.Sprintf("%s, and in the fallback %s", e.Active, e.Fallback)
	case !enough:
		return statemachine.Inconclusive, fmt.Sprintf("%.0f calls were measured, %d are needed", e.Active.Requests, e.Minimum)
	case len(e.Muted) > 0 && e.Active.Errors > 0 && e.Fallback.Requests < float64(e.Minimum):
		return statemachine.Inconclusive, fmt.Sprintf("%s, alarm %s rings as it did before, and the fallback has too few calls to compare with",
			e.Active, strings.Join(e.Muted, ", "))
	}
	if len(e.Muted) > 0 {
		return statemachine.Healthy, fmt.Sprintf("alarm %s rings as it did before; %s, and in the fallback %s", strings.Join(e.Muted, ", "), e.Active, e.Fallback)
	}
	return statemachine.Healthy, fmt.Sprintf("no alarm rings; %s", e.Active)
}

// worse tells whether active fails a larger share of its calls than chance explains: a one-sided z-test of
// two proportions, at 1 in 2,000.
// https://www.itl.nist.gov/div898/handbook/prc/section3/prc33.htm
func worse(active, fallback Calls) bool {
	if fallback.Requests == 0 {
		return false
	}
	pooled := (active.Errors + fallback.Errors) / (active.Requests + fallback.Requests)
	spread := math.Sqrt(pooled * (1 - pooled) * (1/active.Requests + 1/fallback.Requests))
	return active.Errors/active.Requests-fallback.Errors/fallback.Requests > 3.29*spread && spread > 0
}
