package release

import (
	"strings"
	"testing"
	"time"

	"lockstep/statemachine"
)

func budget(traffic float64) Budget {
	return Budget{Harm: 50, Within: time.Hour, Minimum: 20, Traffic: traffic, Period: time.Minute,
		Converges: 90 * time.Second}
}

func TestBudget_FirstShare(t *testing.T) {
	for _, c := range []struct {
		says            string
		traffic, budget float64
		weight          int
	}{
		{"as many calls as the budget within four minutes", 500, 50, 4},
		{"half of the traffic, twice the share", 250, 50, 8},
		{"the least there is, where it is too much", 5000, 50, 1},
		{"low traffic: as many as a verdict needs in a fifth of the time", 1, 50, 277},
		{"lower traffic: never more than a quarter of the viewers", 0.01, 50, 2500},
		{"a small budget holds at low traffic too", 1, 1, 41},
		{"no traffic: nobody to harm, nobody to learn from", 0, 50, 1},
	} {
		b := budget(c.traffic)

		b.Harm = c.budget
		if weight := b.Weight(0); weight != c.weight {
			t.Errorf("%s: %g calls a second: found %d, expected %d", c.says, c.traffic, weight, c.weight)
		}
	}
}

// Before anybody can know of it, a release that fails every call harms no more than the budget,
// whatever the traffic.
func TestBudget_HarmsTheSame(t *testing.T) {
	for _, traffic := range []float64{0.01, 0.1, 1, 5, 20, 100, 500, 1000} {
		b := budget(traffic)
		if harmed := traffic * float64(
			b.Weight(0)) / statemachine.FullWeight * b.delay().Seconds(); harmed > 50 {
			t.Errorf("%g calls a second: a release that fails every call harms %g", traffic, harmed)
		}
	}
}

func TestBudget_GrowsWithEvidence(t *testing.T) {
	for _, traffic := range []float64{0.05, 1, 20, 500, 20000} {
		b, last := budget(traffic), 0
		for seen := 0.0; seen < 1e9; seen = 2*seen + 1 {
			weight := b.Weight(seen)
			if weight < last || weight > statemachine.FullWeight {
				t.Fatalf("%g calls a second, %g seen: found %d after %d", traffic, seen, weight, last)
			}

			last = weight
		}

		if last != statemachine.FullWeight {
			t.Errorf("%g calls a second: found at most %d", traffic, last)
		}
	}
}

func TestBudget_Forecast(t *testing.T) {
	for traffic, most := range map[float64]time.Duration{0.2: time.Hour, 1: time.Hour, 20: time.Hour,
		500: time.Hour, 20000: 70 * time.Minute} {
		if takes, ok := budget(traffic).Forecast(); !ok || takes > most || takes < most/2 {
			t.Errorf("%g calls a second: found %s, %t, expected at most %s", traffic, takes, ok, most)
		}
	}

	// as long as most good releases take in the simulation: see blast/README.md
	for traffic, median := range map[float64]time.Duration{500: 54*time.Minute + 10*time.Second,
		20: 54*time.Minute + 10*time.Second, 1: 47*time.Minute + 40*time.Second} {
		takes, _ := budget(traffic).Forecast()
		if d := (takes - median).Abs(); d > time.Minute {
			t.Errorf("%g calls a second: found %s, expected about %s", traffic, takes, median)
		}
	}

	if takes, ok := budget(0).Forecast(); ok {
		t.Errorf("without traffic: found %s", takes)
	}

	quick := budget(500)

	quick.Within = 20 * time.Minute
	if takes, ok := quick.Forecast(); !ok || takes > 25*time.Minute {
		t.Errorf("within 20 minutes: found %s, %t", takes, ok)
	}
}

func TestBudget_Look(t *testing.T) {
	for _, c := range []struct {
		traffic float64
		weight  int
		look    time.Duration
	}{{500, 4, time.Minute}, {1, 222, 90 * time.Second}, {1, 10000, time.Minute},
		{0.01, 2500, 800 * time.Second}, {0.001, 1, time.Hour}, {0, 1, 10 * time.Minute}} {
		look := budget(c.traffic).Look(c.weight).Round(time.Minute)
		if look != c.look.Round(time.Minute) {
			t.Errorf("%g calls a second at %d: found %s, expected %s", c.traffic, c.weight, look, c.look)
		}
	}
}

// A look sees calls of 135 s ago on the average: 45 s until half of the edges have the weight, 30 s
// until half of a minute has passed, and a minute until its count can be read.
func TestBudget_Lag(t *testing.T) {
	if lag := budget(1).lag(); lag != 135*time.Second {
		t.Errorf("found %s", lag)
	}
}

// At full weight the ramp stays until a verdict on it is possible: until the edges have converged,
// a minute has passed, and its count can be read two minutes later.
func TestBudget_StaysAtFullWeightUntilAVerdict(t *testing.T) {
	b := budget(1)
	if least := b.Converges + 3*b.Period; b.ending() < least || b.ending() > least+b.Period {
		t.Errorf("found %s, expected at least %s and a minute more at most", b.ending(), least)
	}
}

// Chance sends fewer calls than the mean: with one standard deviation more planned for, the minimum
// comes in time to five of six releases.
func TestBudget_PlansForChance(t *testing.T) {
	if calls := budget(1).unlucky(25); calls != 30 {
		t.Errorf("found %g calls for 25, expected 30", calls)
	}
}

// The weight stays while there are too few calls for a verdict.
func TestForecast_WaitsForTheMinimum(t *testing.T) {
	f := forecast{budget: budget(0.2)}
	f.look(0)
	first := f.weight
	f.look(5 * time.Minute)

	if f.weight != first {
		t.Errorf("after %g calls, fewer than %d: found the weight %d after %d",
			f.served(5*time.Minute-f.budget.lag()), f.budget.Minimum, f.weight, first)
	}

	if f.look(2 * time.Hour); f.weight <= first {
		t.Errorf("after two hours: found the weight %d after %d", f.weight, first)
	}
}

func TestBusiest(t *testing.T) {
	for _, c := range []struct {
		says  string
		calls map[int64]float64
		found float64
	}{
		{"a night after a day", map[int64]float64{0: 600, 60: 660, 120: 540, 180: 600, 240: 600, 300: 6,
			360: 6, 420: 6, 480: 6, 540: 6}, 10},
		{"one minute is chance", map[int64]float64{0: 60, 60: 60, 120: 360, 180: 60, 240: 60}, 2},
		{"the first minutes", map[int64]float64{0: 60, 60: 120}, 2},
		{"never five in a row", map[int64]float64{0: 3, 120: 3, 240: 3, 360: 3, 480: 3, 600: 3}, 0.05},
		{"no calls", nil, 0},
	} {
		if found := Busiest(c.calls, time.Minute); found != c.found {
			t.Errorf("%s: found %g calls a second, expected %g", c.says, found, c.found)
		}
	}
}

func TestBudget_SaysWhatItWillDo(t *testing.T) {
	for traffic, says := range map[float64]string{
		500:  "harm budget of 50 at 500 calls a second: first 0.04 %; a good release takes about 5",
		5000: "first 0.01 %, the least there is, which may harm 120;",
		0:    "at so little traffic it takes more than a month",
	} {
		if text := budget(traffic).String(); !strings.Contains(text, says) {
			t.Errorf("%g calls a second: found %q, expected %q", traffic, text, says)
		}
	}
}
