package evidence

import (
	"context"
	"time"

	sm "lockstep/statemachine"
)

// AlarmStates tells which of the named alarms ring. Its methods return Throttled.
type AlarmStates interface {
	Ringing(ctx context.Context, names []string) ([]string, error)
	// Breached tells whether a datapoint of the alarm is beyond its threshold, from the datapoint on
	// whose period a time lies in.
	Breached(ctx context.Context, name string, since time.Time) (bool, error)
}

// Traffic counts what happens in an environment. Its methods return Throttled.
type Traffic interface {
	// Calls counts the calls of an environment's API, and those that failed.
	Calls(ctx context.Context, e sm.Environment, since, until time.Time,
	) (requests, errors float64, err error)
	// Counts gives each series' values by the Unix time at which their period starts. A period without
	// data has no value.
	Counts(ctx context.Context, series []sm.Series, period time.Duration, since, until time.Time,
	) ([]map[int64]float64, error)
}

const (
	// Baseline is how much of the time before the ramp is looked at: it says what counts as slow, and
	// what the fallback's calls were like once active has all of them.
	Baseline = time.Hour
	// MetricLag is how many periods metrics come late: on AWS one to three minutes.
	MetricLag = 3
)
