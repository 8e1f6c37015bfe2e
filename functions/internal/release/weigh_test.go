package release

import (
	"math"
	"testing"
	"time"

	"lockstep/statemachine"
)

// The level is for all criteria together: what is enough for a regression in one of two criteria
// is not enough in one of eight.
func TestWeigh_SplitsTheLevelAmongCriteria(t *testing.T) {
	suspect := failures(minutes(1, Tally{6, 100}, Tally{6, 1900})...)
	quiet := failures(minutes(1, Tally{1, 100}, Tally{20, 1900})...)

	for _, c := range []struct {
		criteria  int
		verdict   statemachine.Verdict
		threshold float64
	}{{1, statemachine.Breached, 250}, {2, statemachine.Breached, 500},
		{8, statemachine.Inconclusive, 2000}} {
		e := Evidence{Minimum: 20, Criteria: []Criterion{suspect}}
		for len(e.Criteria) < c.criteria {
			e.Criteria = append(e.Criteria, quiet)
		}

		j := Judge(e)
		if j.Verdict != c.verdict {
			t.Errorf("one of %d criteria: found %s, %s, expected %s", c.criteria, j.Verdict, j.Why,
				c.verdict)
		}

		for _, f := range j.Findings {
			if math.Abs(f.Threshold-c.threshold) > 1e-6 {
				t.Errorf("%d criteria: found the threshold %g, expected %g", c.criteria, f.Threshold,
					c.threshold)
			}
		}
	}
}

// The comparisons with the fallback and with the baseline share the level of a criterion: their
// chances of a false alarm sum up to it. So do the bound on the baseline and the comparison with
// it.
func TestWeigh_SplitsTheLevelOfACriterion(t *testing.T) {
	const level = 0.01

	periods := minutes(2, Tally{1, 100}, Tally{10, 1000})
	periods[1].From, periods[1].To = 1, 1

	found := Weigh(Evidence{Level: level, Criteria: []Criterion{failures(periods...)}})
	if len(found) != 2 || found[0].Baseline || !found[1].Baseline {
		t.Fatalf("found %+v, expected a comparison with the fallback and one with the baseline", found)
	}

	bound := 1 / found[1].Threshold // as probable as a false alarm of the comparison
	if sum := 1/found[0].Threshold + 1/found[1].Threshold + bound; math.Abs(sum-level) > 1e-9 {
		t.Errorf("a false alarm is as probable as %g, expected %g", sum, level)
	}
}

// Each count belongs to one comparison at most: before the ramp the fallback's is baseline only,
// during the ramp both are compared, and at full weight active is compared with the baseline.
func TestWeigh_TakesEachPeriodOnce(t *testing.T) {
	at := func(n int, active, fallback Tally, from float64) Period {
		return Period{At: began.Add(time.Duration(n) * time.Minute), Active: active,
			Fallback: fallback, From: from, To: from}
	}
	c := failures(
		at(-1, Tally{1, 10}, Tally{2, 1000}, 0), // before the ramp: active's is a probe's
		at(0, Tally{3, 50}, Tally{4, 950}, 0.05),
		at(1, Tally{5, 0}, Tally{6, 0}, 0.05), // no calls
		at(2, Tally{7, 900}, Tally{8, 10}, 1), // stragglers in the fallback
	)

	found := Weigh(Evidence{Ramp: began, Criteria: []Criterion{c}})
	if len(found) != 2 {
		t.Fatalf("found %d comparisons, expected 2", len(found))
	}

	for i, want := range []Finding{
		{Active: Tally{3, 50}, Fallback: Tally{4, 950}},
		{Active: Tally{7, 900}, Fallback: Tally{12, 1950}, Baseline: true},
	} {
		if f := found[i]; f.Active != want.Active || f.Fallback != want.Fallback ||
			f.Baseline != want.Baseline {
			t.Errorf("found %v against %v, baseline %t, expected %v against %v, %t", f.Active,
				f.Fallback, f.Baseline, want.Active, want.Fallback, want.Baseline)
		}
	}
}

// The bounds on a count of 10 are Garwood's: 4.795 and 18.39 at 95 %, two-sided, which are 2.5 % on
// each side.
func TestCriterion_BaselineTerms(t *testing.T) {
	ten := Tally{10, 1000}

	for _, c := range []struct {
		fewer          bool
		factor, margin float64
		want           float64
	}{
		{false, 1, 0, 0.01839}, {false, 2, 0, 0.03678}, {false, 2, 0.005, 0.04178},
		{true, 1, 0, -0.004795}, {true, 2, 0, -0.0023975}, {true, 2, 0.001, -0.0013975},
	} {
		criterion := Criterion{Fewer: c.fewer, BaselineFactor: c.factor, BaselineMargin: c.margin}

		terms := criterion.baselineTerms(ten, 0.05)
		if terms.Level != 0.025 || terms.Fewer != c.fewer || terms.Factor != 0 ||
			math.Abs(terms.Margin-c.want) > 1e-5 {
			t.Errorf("%+v: found %+v, expected the margin %g", c, terms, c.want)
		}
	}
}

// A welcome event that never happened has no lower bound, so its absence proves nothing.
func TestLower_OfNothing(t *testing.T) {
	if found := lower(Tally{0, 1000}, 0.025); found != 0 {
		t.Errorf("found %g, expected 0", found)
	}
}

func TestWeigh_ExcusesColdStarts(t *testing.T) {
	plan := statemachine.VerdictPlan{Slow: 15}
	for functions, regressed := range map[int]bool{0: true, 8: false} {
		c := Latency(plan, 300, functions, time.Minute)
		c.Periods = minutes(5, Tally{8, 20}, Tally{10, 1000})

		found := Weigh(Evidence{Criteria: []Criterion{c}})
		if len(found) != 1 || found[0].Regressed() != regressed {
			t.Errorf("%d functions, 8 slow calls a minute: found %v", functions, found)
		}
	}
}

func TestFinding_Thresholds(t *testing.T) {
	for value, want := range map[float64]struct{ regressed, suspicious bool }{
		24: {}, 25: {false, true}, 249: {false, true}, 250: {true, true},
	} {
		f := Finding{Value: value, Threshold: 250}
		if f.Regressed() != want.regressed || f.suspicious() != want.suspicious {
			t.Errorf("e-value %g: found %t, %t, expected %t, %t", value, f.Regressed(), f.suspicious(),
				want.regressed, want.suspicious)
		}
	}
}
