package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

// TestBlast_Headlines checks the results in README.md with fewer seeds.
func TestBlast_Headlines(t *testing.T) {
	const seeds = 40
	// The peers get more seeds: one that misses one bad release in a hundred may miss none in 40.
	all := append(measure([]newPolicy{newLockstep}, seeds), measure(peers, 10*seeds)...)
	for _, rate := range rates {
		healthy := find(all, "Lockstep", good, rate)
		if healthy.early > 1 { // more is not chance
			t.Errorf("%g/s: %d of %d good releases were rolled back", rate, healthy.early, seeds)
		}

		if took := quantile(healthy.took, 0.98); took > time.Hour {
			t.Errorf("%g/s: a good release took %s", rate, took)
		}

		if blamed := find(all, "Lockstep", outage, rate).early; blamed > 1 {
			t.Errorf("%g/s: %d of %d releases were blamed for an outage of both", rate, blamed, seeds)
		}

		forecast, ok := newLockstep(rate).(*lockstep).budget.Forecast()
		if took := quantile(healthy.took, 0.5); !ok ||
			math.Abs((forecast-took).Minutes()) > 0.1*took.Minutes() {
			t.Errorf("%g/s: it said that a good release takes %s, and half took %s", rate, forecast, took)
		}

		for _, f := range faults {
			if f.harmless() {
				continue
			}

			ours := find(all, "Lockstep", f.name, rate)

			peer, found := best(all, f, rate)
			if !found {
				t.Errorf("%g/s, %s: there is no peer to compare with", rate, f.name)
				continue
			}

			most := 1.25 // so few seeds tell no smaller difference
			if rate == 500 && f.share == 0 && f.worst >= 0.01 {
				most = 0.1
			}

			if ratio := ours.mean() / peer.mean(); ratio > most {
				t.Errorf("%g/s, %s: harms %.1f, %.2g times what %s does, expected at most %g", rate, f.name,
					ours.mean(), ratio, peer.policy, most)
			}

			if least := bound(f, rate); f.errors != nil && f.share == 0 && f.worst >= 0.01 &&
				f.name[0] == 'e' && ours.missed() == 0 && ours.mean() < least/2 {
				t.Errorf("%g/s, %s: harms %.1f, which is less than anybody can: %.1f", rate, f.name,
					ours.mean(), least)
			}
		}
	}
}

// TestBlast_AnHour checks that the slowest of a thousand good releases ends within the hour, where
// calls are few.
func TestBlast_AnHour(t *testing.T) {
	m := measured{fault: faults[slices.IndexFunc(faults,
		func(f fault) bool { return f.name == good })], rate: 1, total: 1000}
	m.play(newLockstep, m.total)

	if longest := quantile(m.took, 1); len(m.took) < 980 || longest > time.Hour {
		t.Errorf("%d of %d good releases ended well, the longest after %s", len(m.took), m.total, longest)
	}
}

// TestBlast_SameSeedSameRelease keeps the tables reproducible.
func TestBlast_SameSeedSameRelease(t *testing.T) {
	for _, f := range faults[:3] {
		one, other := play(newLockstep(20), newWorld(20, f, 7)), play(newLockstep(20), newWorld(20, f, 7))
		if one != other {
			t.Errorf("%s: found %+v and %+v", f.name, one, other)
		}
	}
}

// TestWorld_CountsWhatItServes checks the simulation's counts against its parameters.
func TestWorld_CountsWhatItServes(t *testing.T) {
	f := failing("errors +5 points", 0.05)
	f.times = 1.2
	w := newWorld(500, f, 1)
	w.move(0.2, 0)

	for w.now < time.Hour {
		w.pass()
	}

	var active, fallback calls
	for _, m := range w.minutes {
		active.add(m.active)
		fallback.add(m.fallback)

		if lag := m.published - m.began; lag < time.Minute || lag > 3*time.Minute {
			t.Fatalf("the minute from %s is published after %s", m.began, lag)
		}
	}

	for what, c := range map[string]struct{ found, expected float64 }{
		"active's calls":      {active.requests, 360_000},
		"fallback's calls":    {fallback.requests, 1_440_000},
		"active's failures":   {active.errors / active.requests, 0.051},
		"fallback's failures": {fallback.errors / fallback.requests, baseline},
		"active's slow calls": {active.slow / (active.requests - active.errors),
			beyond(slowLimit, 1.2)},
		"fallback's slow calls": {fallback.slow / (fallback.requests - fallback.errors), slow},
		"calls that were harmed": {w.harmed / active.requests, 0.05 +
			0.949*(beyond(slowLimit, 1.2)-slow)},
		"those that take 500 ms":  {active.over / active.requests, 0.949 * beyond(p99Limit, 1.2)},
		"the slow ones' latency":  {slowLimit.Seconds(), 0.152},
		"an hour's minutes":       {float64(len(w.minutes)), 60},
		"nobody watches any more": {w.now.Hours(), 1},
	} {
		if math.Abs(c.found-c.expected) > 0.1*c.expected {
			t.Errorf("%s: found %g, expected %g", what, c.found, c.expected)
		}
	}
}

func none(time.Duration, float64) float64 { return 0 }

func TestBound(t *testing.T) {
	for _, c := range []struct {
		fault fault
		rate  float64
		bound float64
	}{
		// ln(100)/0.0164 calls, of which 1 % fail, and a 40th more
		{failing("", 0.01), 500, 2.88},
		// 90 s of a quarter of the traffic
		{fault{worst: 0.1, share: quarter, errors: none}, 500, 1126.3},
		{fault{name: good}, 500, 0},
	} {
		if found := bound(c.fault, c.rate); math.Abs(found-c.bound) > 0.02*c.bound {
			t.Errorf("%+v at %g: found %g, expected %g", c.fault, c.rate, found, c.bound)
		}
	}
}
