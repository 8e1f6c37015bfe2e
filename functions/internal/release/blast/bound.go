package main

import "math"

const (
	falseAlarms = 0.01 // of good releases: what is borne
	// unknowing is how long nobody can know of a call on the average: half a minute until its minute
	// is over, and the lag of the count.
	unknowing = 30 + 60 // seconds
	aRelease  = 3600    // seconds
)

// bound is the least harm that any policy could do which rolls back no more than 1 % of good
// releases, by metrics of this kind. To tell rates apart takes ln(1/alpha)/KL calls on the
// average, of which the fault's share is harmed (Wald, Sequential Tests of Statistical Hypotheses,
// 1945), even if one knew what to look for. Then the calls come that are made while the last of
// those are counted, at no less than the share at which an hour has enough calls, or at which the
// fault shows.
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

	return harmed * (needed + rate*share*unknowing)
}

// divergence is Kullback and Leibler's, of a Bernoulli rate from another.
func divergence(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}
