package config

import (
	"time"

	sm "lockstep/statemachine"
)

// Alarms are the thresholds of an environment's alarms.
type Alarms struct {
	// Errors is the percentage of calls that the API answers with 5xx.
	Errors float64 `json:"errors"`
	// Worse is by how many percentage points active may fail more often than fallback, where the
	// difference is statistically significant.
	Worse float64 `json:"worse"`
	// Latency is the 99th percentile.
	Latency sm.Duration `json:"latency"`
	// FunctionErrors counts the errors and throttles of one function within a period, where they
	// exceed Errors percent of its calls.
	FunctionErrors float64 `json:"functionErrors"`
	// MinimumRequests is how many requests a period needs for a percentage to be evaluated.
	MinimumRequests int `json:"minimumRequests"`
	// Period is the interval over which CloudWatch evaluates a metric.
	Period sm.Duration `json:"period"`
}

func (c Config) checkAlarms() error {
	a := c.Alarms
	for _, percentage := range []struct {
		path  string
		value float64
	}{{"errors", a.Errors}, {"worse", a.Worse}} {
		if !(percentage.value > 0 && percentage.value <= 100) {
			return found("alarms."+percentage.path, percentage.value,
				"more than 0 and at most 100 (percent)")
		}
	}

	switch period := a.Period.Std(); {
	case period < time.Minute || period > time.Hour || period%time.Minute != 0:
		return found("alarms.period", a.Period, "whole minutes, from 1m to 1h")
	case a.Latency.Std() < time.Millisecond:
		return found("alarms.latency", a.Latency, "at least 1ms")
	case a.FunctionErrors < 1:
		return found("alarms.functionErrors", a.FunctionErrors, "at least 1")
	case a.MinimumRequests < 1:
		return found("alarms.minimumRequests", a.MinimumRequests, "at least 1")
	}

	return nil
}
