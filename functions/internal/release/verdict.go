package release

import (
	"fmt"
	"strings"

	"lockstep/statemachine"
)

// Evidence is what the metrics had to say of the active environment during a bake.
type Evidence struct {
	Ringing  []string // alarms of the active environment, less those that rang before the release
	Requests float64
	Errors   float64
	Minimum  int // of requests, for a verdict
}

// Judge weighs the evidence and says why. No data is never healthy.
func Judge(e Evidence) (statemachine.Verdict, string) {
	switch {
	case len(e.Ringing) > 0:
		return statemachine.Breached, fmt.Sprintf("alarm %s rings: %.0f of %.0f calls failed", strings.Join(e.Ringing, ", "), e.Errors, e.Requests)
	case e.Requests == 0:
		return statemachine.Inconclusive, "no calls were measured: no data is not health"
	case e.Requests < float64(e.Minimum):
		return statemachine.Inconclusive, fmt.Sprintf("%.0f calls were measured, %d are needed", e.Requests, e.Minimum)
	}
	return statemachine.Healthy, fmt.Sprintf("no alarm rings; %.0f of %.0f calls failed", e.Errors, e.Requests)
}
