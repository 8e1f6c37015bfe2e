package release

import (
	"time"

	"gonum.org/v1/gonum/mathext"
)

const (
	// baselineShare is the part of the level for the comparison with the baseline. The comparison
	// with the fallback has the rest.
	baselineShare = 0.2
	// excessLevel is the probability with which a finding's Excess may be too low.
	excessLevel = 0.05
)

// Weigh compares active with the fallback by each criterion that has calls in both: over the same
// periods while they share the viewers, and with the baseline from then on. The level is split
// among the criteria, so that their number does not add false alarms.
func Weigh(e Evidence) []Finding {
	level := e.Level
	if level == 0 {
		level = DefaultLevel
	}

	level /= float64(max(len(e.Criteria), 1))

	var findings []Finding

	for _, c := range e.Criteria {
		if f, ok := c.againstFallback(e.Ramp, level*(1-baselineShare)); ok {
			findings = append(findings, f)
		}

		if f, ok := c.againstBaseline(e.Ramp, level*baselineShare); ok {
			findings = append(findings, f)
		}
	}

	return findings
}

// againstFallback compares the periods of the ramp in which both environments had viewers; false
// if there are none.
func (c Criterion) againstFallback(ramp time.Time, level float64) (Finding, bool) {
	test := NewComparison(Terms{Level: level, Fewer: c.Fewer, Factor: c.Factor, Margin: c.Margin})
	f := Finding{Criterion: c.Name, says: c.Says}

	for _, p := range c.Periods {
		if p.At.Before(ramp) || p.From >= 1 || p.Active.Of == 0 || p.Fallback.Of == 0 {
			continue
		}

		f.Active, f.Fallback = f.Active.plus(p.Active), f.Fallback.plus(p.Fallback)
		test.Add(c.excuse(p))
	}

	return f.of(test), f.Active.Of > 0
}

// againstBaseline compares the periods in which active had all viewers with a bound on the rate
// that the fallback had before; false if the fallback had no calls then, or active none since.
func (c Criterion) againstBaseline(ramp time.Time, level float64) (Finding, bool) {
	f := Finding{Criterion: c.Name, Baseline: true, says: c.Says}

	for _, p := range c.Periods {
		if p.From < 1 {
			f.Fallback = f.Fallback.plus(p.Fallback)
		}
	}

	if f.Fallback.Of == 0 {
		return f, false
	}

	test := NewComparison(c.baselineTerms(f.Fallback, level))

	for _, p := range c.Periods {
		if p.From < 1 || p.At.Before(ramp) {
			continue
		}

		// A count of welcome events that is not complete yet would look like a regression.
		if c.Fewer && !c.Counted.IsZero() && !p.At.Before(c.Counted) {
			continue
		}

		f.Active = f.Active.plus(p.Active)
		test.Add(c.excuse(Period{Active: p.Active}))
	}

	return f.of(test), f.Active.Of > 0
}

// baselineTerms are the terms of a comparison with the baseline alone: no period has a rate of the
// fallback's, so Margin is all that active may have. The bound on the baseline's rate takes half
// of the level, the comparison the other half.
func (c Criterion) baselineTerms(baseline Tally, level float64) Terms {
	terms := Terms{Level: level / 2, Fewer: c.Fewer}
	if c.Fewer {
		terms.Margin = -(lower(baseline, level/2)/c.BaselineFactor - c.BaselineMargin)
	} else {
		terms.Margin = upper(baseline, level/2)*c.BaselineFactor + c.BaselineMargin
	}

	return terms
}

// of is the finding with the numbers of its test.
func (f Finding) of(test *Comparison) Finding {
	f.Value, f.Threshold, f.Excess = test.Value(), test.Threshold(), test.Excess(excessLevel)
	return f
}

// excuse is the period without the events of active that are not counted.
func (c Criterion) excuse(p Period) Period {
	p.Active.Events = max(0, p.Active.Events-c.Excused)
	return p
}

// upper and lower are confidence bounds on the rate behind a tally, for a Poisson distribution.
// They hold for a Bernoulli distribution too, which varies less.
// https://www.itl.nist.gov/div898/handbook/apr/section1/apr192.htm
func upper(t Tally, level float64) float64 {
	return mathext.GammaIncRegInv(t.Events+1, 1-level) / t.Of
}

func lower(t Tally, level float64) float64 {
	if t.Events == 0 {
		return 0
	}

	return mathext.GammaIncRegInv(t.Events, level) / t.Of
}
