package release

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// minute is one minute of a world: its calls, active's share of them, and both failure rates.
type minute struct{ calls, share, active, fallback float64 }

// play draws a minute. The share is of each call, as the edge sends them.
func (m minute) play(source rand.Source) Period {
	calls := poisson(m.calls, source)
	n := binomial(calls, m.share, source)

	return Period{
		Active: Tally{binomial(n, m.active, source),
			n}, Fallback: Tally{binomial(calls-n, m.fallback, source), calls - n},
		From: m.share, To: m.share,
	}
}

func poisson(mean float64, source rand.Source) float64 {
	return distuv.Poisson{Lambda: mean, Src: source}.Rand()
}

func binomial(n, p float64, source rand.Source) float64 {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	}

	return distuv.Binomial{N: n, P: p, Src: source}.Rand()
}

// good are worlds without a regression, by their names.
func good() map[string]func(t int, r *rand.Rand) minute {
	const base = 0.004

	return map[string]func(t int, r *rand.Rand) minute{
		"a steady rate": func(int, *rand.Rand) minute { return minute{1200, 0.05, base, base} },
		"a tiny share":  func(int, *rand.Rand) minute { return minute{6000, 0.002, base, base} },
		"few calls":     func(int, *rand.Rand) minute { return minute{30, 0.1, 0.05, 0.05} },
		"a ramp": func(t int, _ *rand.Rand) minute {
			return minute{1200,
				min(0.95, 0.01+0.02*float64(t)), base, base}
		},
		"half and half":     func(int, *rand.Rand) minute { return minute{600, 0.5, 0.1, 0.1} },
		"rates that wander": func(_ int, r *rand.Rand) minute { p := 0.2 * r.Float64() * r.Float64(); return minute{1200, 0.1, p, p} },
		"outages of both": func(_ int, r *rand.Rand) minute {
			p := base
			if r.IntN(10) == 0 {
				p = 0.6
			}

			return minute{600, 0.1, p, p}
		},
		"active is better": func(int, *rand.Rand) minute { return minute{1200, 0.2, base / 2, base} },
		"traffic that comes and goes": func(t int, _ *rand.Rand) minute {
			return minute{600 + 500*math.Sin(float64(t)/5), 0.1, base, base}
		},
	}
}

// TestComparison_FalseAlarms looks at good releases after each of 60 minutes.
func TestComparison_FalseAlarms(t *testing.T) {
	const runs, minutes, level = 1200, 60, 0.05 // at the level of a release too few ring to be counted

	for name, world := range good() {
		for _, fewer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fewer %t", name, fewer), func(t *testing.T) {
				t.Parallel()

				r := rand.New(rand.NewPCG(1, 2))
				alarms, wrong := 0, 0

				for range runs {
					c := NewComparison(Terms{Level: level, Fewer: fewer, Factor: 1})
					rang, below := false, false
					excess, calls := 0.0, 0.0

					for t := range minutes {
						m := world(t, r)
						if fewer { // more of it is better then
							m.active, m.fallback = m.fallback, m.active
						}

						p := m.play(r)
						c.Add(p)
						rang = rang || c.Regressed()

						excess, calls = excess+p.Active.Of*(m.active-m.fallback), calls+p.Active.Of
						if t%10 == 9 && !fewer {
							below = below || calls > 0 && c.Excess(level) < excess/calls
						}
					}

					if rang {
						alarms++
					}

					if below {
						wrong++
					}
				}

				t.Logf("%d alarms, %d bounds too low, in %d good releases", alarms, wrong, runs)

				if rate := float64(alarms) / runs; rate > level {
					t.Errorf("%d of %d good releases were called bad, expected at most %g %%", alarms, runs,
						100*level)
				}

				if rate := float64(wrong) / runs; rate > level {
					t.Errorf("%d of %d bounds were too low, expected at most %g %%", wrong, runs, 100*level)
				}
			})
		}
	}
}

// TestComparison_Power is how soon a bad release is found, by nine of ten comparisons of the level
// of a release with two criteria.
func TestComparison_Power(t *testing.T) {
	const runs, level, base = 200, DefaultLevel * (1 - baselineShare) / 2, 0.001

	for name, c := range map[string]struct {
		perSecond, share, excess float64
		from                     int // the minute in which it begins
		within                   int // minutes from then on
	}{
		"all fail, 1 a second, 5 %":                   {1, 0.05, 1, 0, 2},
		"+50 points, 1 a second, 5 %":                 {1, 0.05, 0.5, 0, 5},
		"+5 points, 20 a second, 5 %":                 {20, 0.05, 0.05, 0, 4},
		"+1 point, 20 a second, 5 %":                  {20, 0.05, 0.01, 0, 20},
		"+1 point, 500 a second, 0.1 %":               {500, 0.001, 0.01, 0, 40},
		"+1 point, 500 a second, 5 %":                 {500, 0.05, 0.01, 0, 1},
		"+0.2 points, 500 a second, 5 %":              {500, 0.05, 0.002, 0, 10},
		"+1 point, 20 a second, 50 %":                 {20, 0.5, 0.01, 0, 6},
		"+1 point, 20 a second, 50 %, after an hour":  {20, 0.5, 0.01, 60, 8},
		"+50 points, 1 a second, 50 %, after an hour": {1, 0.5, 0.5, 60, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := rand.New(rand.NewPCG(3, 4))

			var took []int

			for range runs {
				test := NewComparison(Terms{Level: level, Factor: 1})

				after := 0
				for ; !test.Regressed() && after < c.from+240; after++ {
					m := minute{60 * c.perSecond, c.share, base, base}
					if after >= c.from {
						m.active = min(1, base+c.excess)
					}

					test.Add(m.play(r))
				}

				took = append(took, after-c.from)
			}

			slices.Sort(took)
			t.Logf("found after %d minutes, at worst %d", took[runs/2], took[runs-1])

			if nine := took[runs*9/10]; nine > c.within {
				t.Errorf("nine of ten are found within %d minutes, expected %d", nine, c.within)
			}
		})
	}
}

// While viewers move, an outage of both environments may begin when active has more of the calls,
// or the shop may close when it has fewer, than in the period as a whole. The same counts at a
// steady share are a regression.
func TestComparison_MovingViewers(t *testing.T) {
	for name, c := range map[string]struct {
		period Period
		fewer  bool
	}{
		"an outage once active has half of the calls": {
			Period{Active: Tally{50, 100}, Fallback: Tally{50, 900}, To: 0.5}, false},
		"no orders any more once active has more than a tenth": {
			Period{Active: Tally{10, 300}, Fallback: Tally{90, 700}, From: 0.1, To: 0.5}, true},
	} {
		steady, moving := c.period, c.period
		steady.From = steady.To

		for period, regressed := range map[Period]bool{steady: true, moving: false} {
			test := NewComparison(Terms{Level: DefaultLevel, Fewer: c.fewer, Factor: 1})

			test.Add(period)

			if test.Regressed() != regressed {
				t.Errorf("%s, from %g to %g: found the e-value %g", name, period.From, period.To,
					test.Value())
			}
		}
	}
}

// A fallback that may have had all the calls at the time of its events says nothing about active's.
func TestComparison_NothingToCompareWith(t *testing.T) {
	test := NewComparison(Terms{Level: DefaultLevel, Fewer: true, Factor: 1})

	test.Add(Period{Active: Tally{0, 100}, Fallback: Tally{10, 100}, From: 0, To: 0.5})

	if value := test.Value(); value != 0 {
		t.Errorf("found the e-value %g, expected 0: nothing was compared", value)
	}
}

// The excess is bounded with the least share that active may have had: a fallback that had most of
// the calls at the time of its events says less about active's.
func TestComparison_ExcessWhileViewersMove(t *testing.T) {
	bound := func(p Period) float64 {
		test := NewComparison(Terms{Level: DefaultLevel, Factor: 1})
		test.Add(p)

		return test.Excess(0.05)
	}
	steady := Period{Active: Tally{10, 1000}, Fallback: Tally{50, 1000}, From: 0.5, To: 0.5}
	moving := steady

	moving.From = 0.1
	if bound(moving) <= bound(steady) {
		t.Errorf("found the bound %g while viewers move and %g at a steady share", bound(moving),
			bound(steady))
	}

	if found := NewComparison(Terms{Level: DefaultLevel, Factor: 1}).Excess(0.05); found != 1 {
		t.Errorf("without calls: found the bound %g, expected 1", found)
	}
}

// The bound is above the excess that was observed, and close to it where calls are many.
func TestComparison_ExcessIsCloseWhereCallsAreMany(t *testing.T) {
	for _, failed := range []float64{0.001, 0.01, 0.1, 0.5} {
		for calls, slack := range map[float64]float64{1e3: 0.2, 1e5: 0.02, 1e7: 0.01} {
			test := NewComparison(Terms{Level: DefaultLevel, Factor: 1})

			test.Add(Period{Active: Tally{failed * calls, calls}, Fallback: Tally{0.001 * calls, calls}})

			observed := failed - 0.001
			if bound := test.Excess(0.05); bound < observed || bound > observed+slack {
				t.Errorf("%g of %g calls, 0.1 %% in the fallback: found the bound %g, expected up to %g",
					failed*calls, calls, bound, observed+slack)
			}
		}
	}
}

// What the terms allow is no regression: 15 % more failures, where 20 % more are allowed.
func TestComparison_Factor(t *testing.T) {
	for factor, regressed := range map[float64]bool{1: true, 1.2: false} {
		test := NewComparison(Terms{Level: DefaultLevel, Factor: factor})

		test.Add(Period{Active: Tally{1150, 10_000}, Fallback: Tally{9000, 90_000}})

		if test.Regressed() != regressed {
			t.Errorf("factor %g: found the e-value %g", factor, test.Value())
		}
	}
}

func BenchmarkComparison_Add(b *testing.B) {
	test, p := NewComparison(Terms{Level: DefaultLevel, Factor: 1}), Period{Active: Tally{1, 60},
		Fallback: Tally{1, 1140}}
	for b.Loop() {
		test.Add(p)
	}
}
