package release

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"lockstep/statemachine"
)

var began = time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)

// minutes are the same tallies, minute by minute, at a steady share.
func minutes(n int, active, fallback Tally) []Period {
	var list []Period
	for i := range n {
		list = append(list, Period{At: began.Add(time.Duration(i) * time.Minute), Active: active,
			Fallback: fallback})
	}

	return list
}

func failures(periods ...Period) Criterion {
	return Criterion{Name: "errors", Says: "%s of %s calls failed", Factor: 1, BaselineFactor: 2,
		Periods: periods}
}

// orders is the criterion of a welcome event.
func orders(periods ...Period) Criterion {
	return Criterion{Name: "orders", Says: "%s orders in %s calls", Fewer: true, Factor: 0.9,
		BaselineFactor: 3, Periods: periods}
}

// atFullWeight is an hour of the baseline, and ten minutes in which active has all viewers.
func atFullWeight(baseline Tally, active func(minute int) Tally) []Period {
	list := []Period{{At: began.Add(-time.Hour), Fallback: baseline}}
	for i := range 10 {
		list = append(list, Period{At: began.Add(time.Duration(i) * time.Minute),
			Active: active(i), From: 1, To: 1})
	}

	return list
}

func TestJudge(t *testing.T) {
	one := func(active, fallback Tally) Evidence {
		return Evidence{Minimum: 20, Criteria: []Criterion{failures(minutes(1, active, fallback)...)}}
	}
	muted := func(e Evidence) Evidence {
		e.Muted = []string{"errors-a"}
		return e
	}
	ringing := func(e Evidence) Evidence {
		e.Ringing = []string{"errors-a", "slow-a"}
		return e
	}
	// A tenth of the calls end in an order. Those of the last three minutes are not counted yet.
	ordered := func(counted int) Evidence {
		e := one(Tally{1, 600}, Tally{})
		c := orders(atFullWeight(Tally{3000, 30_000}, func(i int) Tally {
			return Tally{map[bool]float64{true: 3000}[i < 7], 30_000}
		})...)
		c.Counted = began.Add(time.Duration(counted) * time.Minute)
		e.Criteria, e.Ramp = append(e.Criteria, c), began

		return e
	}

	nobody := one(Tally{1, 600}, Tally{1, 9000})
	nobody.Criteria = append(nobody.Criteria, orders(minutes(10, Tally{0, 60}, Tally{120, 1200})...))

	failing := Evidence{Minimum: 20, Ramp: began, Criteria: []Criterion{failures(atFullWeight(
		Tally{300, 300_000}, func(int) Tally { return Tally{150, 10_000} })...)}}

	baking := one(Tally{}, Tally{})
	baking.Criteria[0].Periods = minutes(3, Tally{1, 10}, Tally{10, 1000})
	baking.Bake = began.Add(2 * time.Minute)

	for name, c := range map[string]struct {
		evidence Evidence
		verdict  statemachine.Verdict
		says     string
	}{
		"nothing": {Evidence{}, statemachine.Inconclusive, "no data is never healthy"},
		"no calls": {one(Tally{}, Tally{0, 500}), statemachine.Inconclusive,
			"no data is never healthy"},
		"too few calls": {one(Tally{0, 19}, Tally{0, 500}), statemachine.Inconclusive,
			"^19 calls were measured, 20 are needed"},
		"too few calls in the bake": {baking, statemachine.Inconclusive,
			"^10 calls were measured, 20 are needed"},
		"enough calls": {one(Tally{1, 20}, Tally{}), statemachine.Healthy,
			"^no alarm rings; 1 of 20 calls failed$"},

		"an alarm": {ringing(one(Tally{9, 20}, Tally{})), statemachine.Breached,
			"^alarm errors-a, slow-a rings: 9 of 20 calls failed$"},
		"an alarm without calls": {ringing(Evidence{}), statemachine.Breached,
			"^alarm errors-a, slow-a rings"},

		"a regression": {one(Tally{15, 54}, Tally{1, 900}), statemachine.Breached,
			"15 of 54 calls failed, against 1 of 900 in the fallback"},
		"a regression, its alarm muted": {muted(one(Tally{15, 54}, Tally{0, 900})),
			statemachine.Breached, "^alarm errors-a already rang before the release; 15 of 54"},
		"too few to be healthy, enough for a regression": {one(Tally{10, 10}, Tally{12, 12000}),
			statemachine.Breached, `^10 of 10 calls failed, against 12 of 12,000 in the fallback: ` +
				`e-value \S+, threshold 250$`},
		"some evidence of a regression": {one(Tally{5, 100}, Tally{6, 1900}),
			statemachine.Inconclusive,
			"^some evidence of a regression, not enough to roll back: 5 of 100"},
		"an outage of both": {one(Tally{10, 50}, Tally{200, 900}), statemachine.Healthy, "10 of 50"},
		"one failure of many": {one(Tally{1, 200}, Tally{2, 4000}), statemachine.Healthy,
			"1 of 200"},
		"nobody orders": {nobody, statemachine.Breached,
			"^0 orders in 600 calls, against 1,200 of 12,000 in the fallback"},

		"many failures, nothing to compare with": {one(Tally{6, 100}, Tally{}),
			statemachine.Inconclusive, "the fallback has no calls to compare with"},
		"muted, nothing to compare with": {muted(one(Tally{1, 900}, Tally{})),
			statemachine.Inconclusive, "alarm errors-a already rang before the release"},
		"muted, nothing to compare with, but no failure": {muted(one(Tally{0, 900}, Tally{})),
			statemachine.Healthy, "^alarm errors-a already rang before the release; 0 of 900"},

		"a regression at full weight": {failing, statemachine.Breached,
			"^1,500 of 100,000 calls failed, against 300 of 300,000 in the baseline"},
		"orders at full weight, counted later than calls": {ordered(7), statemachine.Healthy,
			"21,000 orders in 210,000 calls, against 3,000 of 30,000 in the baseline"},
		"no orders at full weight": {ordered(8), statemachine.Breached,
			"21,000 orders in 240,000 calls"},
	} {
		j := Judge(c.evidence)
		if j.Verdict != c.verdict || !regexp.MustCompile(c.says).MatchString(j.Why) {
			t.Errorf("%s: found %s, %s; expected %s, %s", name, j.Verdict, j.Why, c.verdict, c.says)
		}
	}
}

// A rollback is told apart by what breached: the first alarm that rings, or the comparison.
func TestJudgement_Breach(t *testing.T) {
	regression := []Criterion{failures(minutes(1, Tally{15, 54}, Tally{1, 900})...)}

	j := Judge(Evidence{Ringing: []string{"errors-a", "slow-a"}, Criteria: regression})
	if j.Alarm != "errors-a" || j.Breach() != statemachine.AlarmBreached {
		t.Errorf("an alarm: found %s of %q", j.Breach(), j.Alarm)
	}

	j = Judge(Evidence{Muted: []string{"slow-a"}, Criteria: regression})
	if j.Alarm != "" || j.Breach() != statemachine.Regression {
		t.Errorf("a regression: found %s of %q", j.Breach(), j.Alarm)
	}
}

// TestJudge_NoDataIsNeverHealthy tries evidence at random.
func TestJudge_NoDataIsNeverHealthy(t *testing.T) {
	few := func() Tally { return Tally{float64(rand.IntN(3)), float64(rand.IntN(3))} }
	for range 1000 {
		e := Evidence{Criteria: []Criterion{failures(minutes(1, few(), few())...)},
			Minimum: rand.IntN(3) - 1}
		if j := Judge(e); j.Verdict == statemachine.Healthy && e.Criteria[0].Periods[0].Active.Of == 0 {
			t.Fatalf("%+v is %s: %s", e, j.Verdict, j.Why)
		}
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 7: "7", 0.0812: "0.081", 9.94: "9.9", 12.4: "12",
		310: "310", 61000: "61,000", 1234567: "1,234,567", 3e12: "3e+12"} {
		if got := number(x); got != want {
			t.Errorf("%g: found %s, expected %s", x, got, want)
		}
	}
}

func ExampleJudge() {
	periods := minutes(2, Tally{2, 155}, Tally{6, 30500})
	j := Judge(Evidence{Minimum: 20, Criteria: []Criterion{failures(periods...)}})
	fmt.Println(j.Verdict)
	fmt.Println(j.Why)
	// Output:
	// breached
	// 4 of 310 calls failed, against 12 of 61,000 in the fallback: e-value 9,984, threshold 250
}
