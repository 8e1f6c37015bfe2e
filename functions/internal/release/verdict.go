package release

import (
	"fmt"
	"strings"

	"lockstep/statemachine"
)

// bearable is the share of failed calls that passes where there is nothing to compare it with.
const bearable = 0.05

// Judgement is a verdict and its reasons.
type Judgement struct {
	Verdict statemachine.Verdict
	// Alarm is the first alarm that rings, if any does.
	Alarm string
	// Why is the reason, for people. Nothing reads it.
	Why      string
	Findings []Finding
}

// Breach is the name of the error with which a breached verdict fails: AlarmBreached if an alarm
// rang, Regression if only the comparison found one.
func (j Judgement) Breach() string {
	if j.Alarm != "" {
		return statemachine.AlarmBreached
	}

	return statemachine.Regression
}

// Judge weighs the evidence and gives its reasons. Without data the verdict is never healthy. It
// takes a minimum of calls to call a release healthy, and none to call it bad.
//
// Alarms alone would pass a release whose alarm rang before it began, or which fails too little
// for a threshold. So active is compared with the fallback as well.
func Judge(e Evidence) Judgement {
	j := Judgement{Verdict: statemachine.Inconclusive, Findings: Weigh(e)}
	regressions, suspicions := sorted(j.Findings)
	calls := e.baked().Active
	failed := fmt.Sprintf("%s of %s calls failed", number(calls.Events), number(calls.Of))

	switch {
	case len(e.Ringing) > 0:
		j.Verdict, j.Alarm = statemachine.Breached, e.Ringing[0]
		j.Why = fmt.Sprintf("alarm %s rings: %s", strings.Join(e.Ringing, ", "), failed)

		return j
	case len(regressions) > 0:
		j.Verdict, j.Why = statemachine.Breached, list(regressions)
	case calls.Of == 0:
		j.Why = "no calls were measured: no data is never healthy"
	case calls.Of < float64(e.Minimum):
		j.Why = fmt.Sprintf("%s calls were measured, %d are needed", number(calls.Of), e.Minimum)
	case len(suspicions) > 0:
		j.Why = "some evidence of a regression, not enough to roll back: " + list(suspicions)
	case len(j.Findings) > 0:
		j.Verdict, j.Why = statemachine.Healthy, list(j.Findings)
	case calls.rate() > bearable, len(e.Muted) > 0 && calls.Events > 0:
		j.Why = failed + ", and the fallback has no calls to compare with"
	default:
		j.Verdict, j.Why = statemachine.Healthy, failed
	}

	if len(e.Muted) > 0 {
		j.Why = fmt.Sprintf("alarm %s already rang before the release; %s",
			strings.Join(e.Muted, ", "), j.Why)
	} else if j.Verdict == statemachine.Healthy {
		j.Why = "no alarm rings; " + j.Why
	}

	return j
}

// sorted are the findings that show a regression, and those that show only some evidence of one.
func sorted(findings []Finding) (regressions, suspicions []Finding) {
	for _, f := range findings {
		switch {
		case f.Regressed():
			regressions = append(regressions, f)
		case f.suspicious():
			suspicions = append(suspicions, f)
		}
	}

	return regressions, suspicions
}

func list(findings []Finding) string {
	texts := make([]string, len(findings))
	for i, f := range findings {
		texts[i] = f.String()
	}

	return strings.Join(texts, "; ")
}
