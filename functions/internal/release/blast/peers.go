package main

import "time"

// policy conducts one release. act is called at every tick.
type policy interface {
	name() string
	act(w *world) state
}

// newPolicy is the policy for a release at a rate, in calls per second.
type newPolicy func(rate float64) policy

// state is the state of a release.
type state int

const (
	going   state = iota
	watched       // active has all viewers, and the policy still watches
	left          // active has all viewers, and the policy has ended
	rolledBack
)

// peers are the policies that Lockstep is compared with.
var peers = []newPolicy{
	func(float64) policy {
		return &codeDeploy{"CodeDeploy Canary10Percent5Minutes, 1 %", 0.9, 5 * time.Minute, onePercent}
	},
	func(float64) policy {
		return &codeDeploy{"CodeDeploy Linear10PercentEvery1Minute, 1 %", 0.1, time.Minute, onePercent}
	},
	func(float64) policy {
		return &codeDeploy{"CodeDeploy Canary10Percent5Minutes, any error", 0.9, 5 * time.Minute,
			anyError}
	},
	func(float64) policy {
		return &codeDeploy{"CodeDeploy Linear10PercentEvery1Minute, any error", 0.1, time.Minute,
			anyError}
	},
	func(float64) policy { return &flagger{} },
	func(float64) policy { return &argo{} },
}

// alarm rings when so many minutes in a row breach.
type alarm struct {
	minutes  int
	breaches func(calls) bool
}

func (a alarm) rings(w *world) bool {
	row := 0
	for _, m := range w.published() {
		if row++; !a.breaches(m.active) {
			row = 0
		}

		if row == a.minutes {
			return true
		}
	}

	return false
}

var (
	// anyError is the alarm of SAM's documentation: Errors above 0 in two periods of 60 s.
	// https://github.com/aws/serverless-application-model/blob/master/docs/safe_lambda_deployments.rst
	anyError = alarm{2, func(c calls) bool { return c.errors > 0 }}
	// onePercent is an alarm that a careful team would set instead: the limits of Flagger's
	// documentation, over one minute.
	onePercent = alarm{1, beyondLimits}
)

// beyondLimits tells whether a minute's calls exceed the limits of Flagger's documentation.
func beyondLimits(c calls) bool {
	return c.requests > 0 && (c.errors > 0.01*c.requests || c.over > 0.01*c.requests)
}

// codeDeploy begins with 10 % and raises the share of an alias, which takes effect at once, while
// no alarm rings. At 100 % the deployment has succeeded, and no alarm rolls it back any more.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
type codeDeploy struct {
	title string
	step  float64
	every time.Duration
	alarm alarm
}

func (p *codeDeploy) name() string { return p.title }

func (p *codeDeploy) act(w *world) state {
	if p.alarm.rings(w) {
		return rolledBack
	}

	if share := min(1, 0.1+p.step*float64(w.now/p.every)); share != w.after {
		w.move(share, 0)
	}

	if w.after == 1 {
		return left
	}

	return going
}

// flagger checks the last minute each minute. It adds 2 points after a good one, up to 50 %, and
// then promotes; at 10 failed checks it rolls back: interval 1m, threshold 10, maxWeight 50,
// stepWeight 2. Of the three examples in its documentation, this one harms the fewest calls.
// Prometheus scrapes within seconds, so there is none of CloudWatch's delay.
// https://docs.flagger.app/usage/deployment-strategies
type flagger struct{ failed int }

func (p *flagger) name() string { return "Flagger" }

func (p *flagger) act(w *world) state {
	switch last := len(w.minutes) - 1; {
	case w.now%time.Minute != 0:
	case last < 0:
		w.move(0.02, 0)
	case w.minutes[last].active.requests == 0 || beyondLimits(w.minutes[last].active):
		if p.failed++; p.failed == 10 {
			return rolledBack
		}
	case w.after >= 0.5:
		w.move(1, 0)
		return left
	default:
		w.move(w.after+0.02, 0)
	}

	return going
}

// argo adds 20 points every 10 minutes. From 40 % on, it measures the success rate of the last 5
// minutes every 5 minutes: the third one below 0.95 aborts.
// https://argo-rollouts.readthedocs.io/en/stable/features/analysis/#background-analysis
type argo struct{ failed int }

func (p *argo) name() string { return "Argo Rollouts" }

func (p *argo) act(w *world) state {
	const step, interval = 10 * time.Minute, 5 * time.Minute
	if w.now%step == 0 {
		w.move(min(1, 0.2*float64(1+w.now/step)), 0)
	}

	if w.now >= step && w.now%interval == 0 {
		var c calls
		for _, m := range w.minutes[len(w.minutes)-5:] {
			c.add(m.active)
		}

		if c.errors > 0.05*c.requests {
			if p.failed++; p.failed == 3 {
				return rolledBack
			}
		}
	}

	if w.after == 1 {
		return left
	}

	return going
}
