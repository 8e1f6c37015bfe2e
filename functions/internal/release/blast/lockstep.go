package main

import (
	"sync"
	"time"

	"lockstep/functions/internal/release"
	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// lockstep is the policy that ships, with the defaults of cdk.json: release.Budget gives the
// share, release.Judge the verdict at every look, and an alarm rolls back between looks. This type
// adds only the timing: edges take 46 to 83 s to go by a new weight, a schedule fires up to a
// minute late, and a rollback is one call.
type lockstep struct {
	settings sm.Settings
	alarms   config.Alarms
	budget   release.Budget
	look     time.Duration
	weight   int
	full     time.Duration // when all edges go by the current weight
	ended    time.Duration // when the release was promoted; 0 before
}

// functions is the number of the application's functions. A cold start of each is excused.
const functions = 2

// defaults is the configuration of an application whose cdk.json has only a name.
var defaults = sync.OnceValue(func() config.Config {
	c, err := config.Parse([]byte(`{"app": "blast"}`))
	if err != nil {
		panic(err) // the defaults are valid
	}

	return c
})

func newLockstep(rate float64) policy {
	c := defaults()
	s := c.Settings(config.Places{})

	return &lockstep{settings: s, alarms: c.Alarms, budget: release.Budget{
		Harm: s.Ramp.HarmBudget, Within: s.Ramp.Within.Std(), Minimum: s.Ramp.MinimumRequests,
		Traffic: rate, Period: s.MetricPeriod.Std(), Converges: s.EdgeConvergence.Std(),
	}}
}

func (p *lockstep) name() string { return "Lockstep" }

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (p *lockstep) act(w *world) state {
	published := w.published()
	if p.rings(w, published) {
		return rolledBack
	}

	switch {
	case p.ended > 0 && w.now >= p.ended+p.settings.Drain.Quiet.Std():
		return left
	case p.ended > 0:
		return watched
	case w.now < p.look:
		return going
	case w.now > 0:
		switch release.Judge(p.evidence(w, published)).Verdict {
		case sm.Breached:
			return rolledBack
		case sm.Healthy:
			if p.weight == sm.FullWeight {
				p.ended = w.now
				return watched
			}

			p.grow(w, published)
		}
	default:
		p.grow(w, published)
	}

	p.look = w.now + p.budget.Look(p.weight) + w.upTo(time.Minute)

	return going
}

// grow raises the weight by the budget, after so many calls were judged and found good.
func (p *lockstep) grow(w *world, published []minute) {
	seen := 0.0
	for _, m := range published {
		seen += m.active.requests
	}

	weight := p.budget.Weight(seen)
	if weight <= p.weight {
		return
	}

	p.weight, p.full = weight, w.now+p.settings.EdgeConvergence.Std()
	w.move(float64(weight)/sm.FullWeight, 46*time.Second+w.upTo(37*time.Second))
}

// evidence is what release.Judge sees: an hour of the baseline, and the published minutes.
func (p *lockstep) evidence(w *world, published []minute) release.Evidence {
	errors := release.Errors(p.settings.Verdict)
	latency := release.Latency(p.settings.Verdict, float64(slowLimit.Milliseconds()), functions,
		p.budget.Period)
	add := func(m minute) {
		period := func(active, fallback float64) release.Period {
			return release.Period{
				At: began.Add(m.began), From: m.from, To: m.to,
				Active:   release.Tally{Events: active, Of: m.active.requests},
				Fallback: release.Tally{Events: fallback, Of: m.fallback.requests},
			}
		}
		errors.Periods = append(errors.Periods, period(m.active.errors, m.fallback.errors))
		latency.Periods = append(latency.Periods, period(m.active.slow, m.fallback.slow))
	}

	for at := -time.Hour; at < 0; at += time.Minute {
		n := w.rate * 60
		add(minute{began: at, fallback: calls{requests: n, errors: n * baseline, slow: n * slow}})
	}

	for _, m := range published {
		add(m)
	}

	e := release.Evidence{Criteria: []release.Criterion{errors, latency}, Ramp: began, Bake: began,
		Minimum: p.budget.Minimum, Level: p.settings.Verdict.FalseAlarms / 100}
	if p.weight == sm.FullWeight {
		e.Bake = began.Add(p.full)
	}

	return e
}

// rings tells whether the alarm of active's errors rings, as config.AlarmsOf defines it for
// CloudWatch. The other alarms are left out: they could only ring earlier.
func (p *lockstep) rings(w *world, published []minute) bool {
	for _, m := range published {
		if m.published <= w.now-tick {
			continue
		}

		if p.breaches(m.active) && m.fallback.errors <= p.alarms.Errors/100*m.fallback.requests {
			return true
		}
	}

	return false
}

// breaches tells whether a minute's calls exceed the alarm's threshold.
func (p *lockstep) breaches(c calls) bool {
	return c.requests >= float64(p.alarms.MinimumRequests) && c.errors > p.alarms.Errors/100*c.requests
}
