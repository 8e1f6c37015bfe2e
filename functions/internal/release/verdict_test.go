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
	return Criterion{Name: "errors", Says: "%s of %s calls failed", Factor: 1, Drift: 2,
		Periods: periods}
}

func TestJudge(t *testing.T) {
	one := func(active, fallback Tally) []Criterion {
		return []Criterion{failures(minutes(1, active, fallback)...)}
	}
	orders := Criterion{Name: "orders", Says: "%s orders in %s views", Fewer: true, Factor: 1,
		Drift: 3}
	orders.Periods = minutes(10, Tally{0, 60}, Tally{120, 1200})

	everyone := minutes(30, Tally{}, Tally{10, 10000})
	for range 10 { // 0.1 % until everyone has it, and 1.5 % from then on
		everyone = append(everyone, Period{At: began.Add(time.Hour), Active: Tally{150, 10000}, From: 1,
			To: 1})
	}
	// A tenth of the calls end in an order, but those of the last three minutes are not counted yet,
	// or there are none.
	late := Criterion{Name: "orders", Says: "%s orders in %s calls", Fewer: true, Factor: 0.9,
		Drift: 3, Counted: began.Add(7 * time.Minute)}
	late.Periods = []Period{{At: began.Add(-time.Minute), Fallback: Tally{3000, 30000}}}

	for i := range 10 {
		orders := map[bool]float64{true: 3000, false: 0}[i < 7]
		late.Periods = append(late.Periods, Period{At: began.Add(time.Duration(i) * time.Minute),
			Active: Tally{orders, 30000}, From: 1, To: 1})
	}

	gone := late

	gone.Counted = began.Add(8 * time.Minute)
	for name, c := range map[string]struct {
		evidence Evidence
		verdict  statemachine.Verdict
		says     string
	}{
		"orders come later than calls, where there is nobody to compare with": {Evidence{Criteria: append(one(Tally{1, 600}, Tally{}), late), Minimum: 20, Ramp: began}, statemachine.Healthy,
			"21,000 orders in 210,000 calls, in the fallback before 3,000 of 30,000"},
		"nobody orders, and there is nobody to compare with": {Evidence{Criteria: append(one(Tally{1,
			600}, Tally{}), gone), Minimum: 20, Ramp: began}, statemachine.Breached,
			"21,000 orders in 240,000 calls"},
		"enough calls": {Evidence{Criteria: one(Tally{1, 20}, Tally{}), Minimum: 20},
			statemachine.Healthy, "^no alarm rings; 1 of 20 calls failed$"},
		"an alarm": {Evidence{Ringing: []string{"errors-a", "slow-a"},
			Criteria: one(Tally{9, 20}, Tally{}), Minimum: 20}, statemachine.Breached, "^alarm errors-a, slow-a rings: 9 of 20 calls failed$"},
		"an alarm without calls": {Evidence{Ringing: []string{"errors-a"}}, statemachine.Breached,
			"alarm errors-a rings"},
		"nothing": {Evidence{}, statemachine.Inconclusive, "no data is not health"},
		"no calls": {Evidence{Criteria: one(Tally{}, Tally{0, 500}), Minimum: 20},
			statemachine.Inconclusive, "no data is not health"},
		"too few calls": {Evidence{Criteria: one(Tally{0, 19}, Tally{0, 500}), Minimum: 20},
			statemachine.Inconclusive, "^19 calls were measured, 20 are needed"},
		"too few to be healthy, enough to be bad": {Evidence{Criteria: one(Tally{10, 10},
			Tally{12, 12000}), Minimum: 20}, statemachine.Breached,
			`^10 of 10 calls failed, in the fallback 12 of 12,000: e-value \S+, 250 is enough$`},
		"worse than fallback": {Evidence{Criteria: one(Tally{15, 54}, Tally{1, 900}), Minimum: 20},
			statemachine.Breached, "15 of 54 calls failed, in the fallback 1 of 900"},
		"worse, its alarm muted": {Evidence{Muted: []string{"errors-a"},
			Criteria: one(Tally{15, 54}, Tally{0, 900}), Minimum: 20}, statemachine.Breached, "^alarm errors-a rings as it did before; 15 of 54"},
		"an outage of both": {Evidence{Criteria: one(Tally{10, 50}, Tally{200, 900}), Minimum: 20},
			statemachine.Healthy, "10 of 50"},
		"one failure of many": {Evidence{Criteria: one(Tally{1, 200}, Tally{2, 4000}), Minimum: 20},
			statemachine.Healthy, "1 of 200"},
		"suspicious": {Evidence{Criteria: one(Tally{5, 100}, Tally{6, 1900}), Minimum: 20},
			statemachine.Inconclusive,
			"^too much to go on, too little to go back: 5 of 100"},
		"many failures, nothing to compare with": {Evidence{Criteria: one(Tally{6, 100}, Tally{}),
			Minimum: 20}, statemachine.Inconclusive, "the fallback has no calls to compare with"},
		"muted, nothing to compare with": {Evidence{Muted: []string{"errors-a"},
			Criteria: one(Tally{1, 900}, Tally{}), Minimum: 20}, statemachine.Inconclusive,
			"alarm errors-a rings as it did before"},
		"nobody orders": {Evidence{Criteria: append(one(Tally{1, 600}, Tally{1, 9000}), orders),
			Minimum: 20}, statemachine.Breached,
			"^0 orders in 600 views, in the fallback 1,200 of 12,000"},
		"worse once everyone has it": {Evidence{Criteria: []Criterion{failures(everyone...)}, Minimum: 20,
			Ramp: began}, statemachine.Breached,
			"^1,500 of 100,000 calls failed, in the fallback before 300 of 300,000"},
	} {
		j := Judge(c.evidence)
		if j.Verdict != c.verdict || !regexp.MustCompile(c.says).MatchString(j.Why) {
			t.Errorf("%s: found %s, %s; expected %s, %s", name, j.Verdict, j.Why, c.verdict, c.says)
		}
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
	j := Judge(Evidence{Minimum: 20, Criteria: []Criterion{failures(minutes(2, Tally{2, 155},
		Tally{6, 30500})...)}})
	fmt.Println(j.Verdict)
	fmt.Println(j.Why)
	// Output:
	// breached
	// 4 of 310 calls failed, in the fallback 12 of 61,000: e-value 9,984, 250 is enough
}
