package main

import (
	"math"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// These describe the calls of a good release. Latencies are log-normal.
const (
	baseline = 0.001                 // the share of calls that fail
	median   = 80 * time.Millisecond // of the latency
	spread   = 0.5                   // the standard deviation of the latency's logarithm
	slow     = 0.1                   // the share of slow calls: those above the 90th percentile
)

// slowLimit is the latency above which a call is slow.
var slowLimit = time.Duration(float64(median) * math.Exp(spread*distuv.UnitNormal.Quantile(1-slow)))

// beyond is the share of calls that take longer than a limit, if all calls take so many times as
// long as usual.
func beyond(limit time.Duration, times float64) float64 {
	return distuv.UnitNormal.Survival(
		(math.Log(float64(limit)/float64(median)) - math.Log(times)) / spread)
}

// fault is a fault of a release, or an outage of both environments.
type fault struct {
	name string
	// errors is the share of active's calls that fail because of the release, by the time since it
	// began and active's share of the traffic; nil for none.
	errors func(at time.Duration, share float64) float64
	times  float64 // how many times as long active's calls take; 0 for as long as usual
	// outage is the share of calls that fail in both environments, by the time; nil for none.
	outage func(at time.Duration) float64
	worst  float64 // the largest share that errors returns
	share  float64 // the share of the traffic below which the fault does not show
}

// harm is the share of active's calls that fail because of the release, and of those that are slow
// because of it.
func (f fault) harm(at time.Duration, share float64) (failing, slower float64) {
	if f.errors != nil {
		failing = f.errors(at, share)
	}

	if f.times > 0 {
		slower = beyond(slowLimit, f.times) - slow
	}

	return failing, slower
}

// harmless tells whether the release has no fault of its own.
func (f fault) harmless() bool { return f.errors == nil && f.times == 0 }

// failing is a fault by which a share of active's calls fail.
func failing(name string, share float64) fault {
	errors := func(time.Duration, float64) float64 { return share }
	return fault{name: name, worst: share, errors: errors}
}

const (
	good    = "good release"
	outage  = "outage of both"
	anHour  = "+10 points after an hour"
	quarter = 0.25
)

var faults = []fault{
	{name: good},
	failing("errors +50 points", 0.5),
	failing("errors +5 points", 0.05),
	failing("errors +1 point", 0.01),
	failing("errors +0.2 points", 0.002),
	{name: "latency +20 %", times: 1.2},
	{name: "latency x3", times: 3},
	{name: "+10 points above 25 % of traffic", worst: 0.1, share: quarter,
		errors: func(_ time.Duration, share float64) float64 {
			if share > quarter {
				return 0.1
			}

			return 0
		}},
	{name: anHour, worst: 0.1, share: 1, errors: func(at time.Duration, _ float64) float64 {
		if at >= time.Hour {
			return 0.1
		}

		return 0
	}},
	{name: "leak, +10 points within an hour", worst: 0.1,
		errors: func(at time.Duration, _ float64) float64 {
			return 0.1 * min(1, at.Hours())
		}},
	{name: outage, outage: func(at time.Duration) float64 {
		if at >= 3*time.Minute && at < 13*time.Minute {
			return 0.5
		}

		return 0
	}},
}
