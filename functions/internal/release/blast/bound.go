package main

import "math"

const (
	falseAlarms = 0.01 // the share of good releases that may be rolled back
	// unknown is the average time in seconds until a call can be known: half a minute until its minute
	// is over, and the lag of the count.
	unknown  = 30 + 60
	aRelease = 3600 // how long a release takes, in seconds
)

// bound is the least harm, in calls, that any policy can do with such metrics if it rolls back at
// most 1 % of good releases.
//
// It takes ln(1/alpha)/KL calls on the average to tell the rates apart, even for somebody who
// knows what to look for, and the fault harms its share of them (Wald, Sequential Tests of
// Statistical Hypotheses, 1945). More calls come while the last of those are counted. Active's
// share of them is at least the share at which an hour has enough calls, and at least the share at
// which the fault shows.
func bound(f fault, rate float64) float64 {
	if f.harmless() {
		return 0
	}

	usual, harmed := baseline, f.worst
	if f.times > 0 {
		usual, harmed = slow, beyond(slowLimit, f.times)-slow
	}

	needed := math.Log(1/falseAlarms) / divergence(usual+harmed, usual)
	share := max(f.share, min(1, needed/(rate*aRelease)))

	return harmed * (needed + rate*share*unknown)
}

// divergence is the Kullback-Leibler divergence of a Bernoulli distribution with rate p from one
// with rate q.
func divergence(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}
