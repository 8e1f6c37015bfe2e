package config

import (
	"regexp"
	"time"

	sm "lockstep/statemachine"
)

const (
	// edgeConvergence is how long a route takes to reach every edge location: the key-value store was
	// measured at 46 to 83 seconds.
	edgeConvergence = 90 * time.Second
	// lambdaConvergence is how long Lambda@Edge caches a route, with a margin.
	lambdaConvergence = 15 * time.Second
	// callTimeout is how long API Gateway waits for a function.
	callTimeout = 29 * time.Second
	// longestCall is how long Lambda lets a function run.
	longestCall = 15 * time.Minute
	// sweep is how often Recover runs in case an event was lost.
	sweep = 5 * time.Minute
)

// Places are the names, ids and ARNs of an application's resources: CDK tokens on AWS, plain names
// in the local run.
type Places struct {
	StateBucket   string
	SiteBuckets   map[sm.Environment]string
	SiteURL       string // where viewers go
	API           string // id of the REST API
	KeyValue      string // ARN of the key-value store; empty where Lambda@Edge routes
	Machine       string // ARN of the state machine
	SchedulerRole string // ARN of the role of the one-time schedules
	Secret        string // ARN of the secret of the database; empty where there is none
}

// Settings computes the settings of the steps from the configuration and the places.
func (c Config) Settings(p Places) sm.Settings {
	s := sm.Settings{
		App: c.App, StateBucket: p.StateBucket, SiteBuckets: p.SiteBuckets, SiteURL: p.SiteURL,
		API: p.API, APIName: c.App, KeyValue: p.KeyValue, Bus: DefaultBus, Machine: p.Machine,
		Schedules: sm.Schedules{Group: c.Name(), Role: p.SchedulerRole},

		Ramp: c.Ramp, Windows: c.Windows, Verdict: c.Verdict, Metrics: c.Metrics, Drain: c.Drain,
		Queue: c.Queue, Probe: c.Probe, Sweep: sm.Duration(sweep), CallTimeout: sm.Duration(callTimeout),
		MetricPeriod: minute, EdgeConvergence: sm.Duration(edgeConvergence),
	}
	if c.Router == LambdaEdge {
		s.EdgeConvergence = sm.Duration(lambdaConvergence)
	}

	if p.Secret != "" {
		s.Database = &sm.Database{Secret: p.Secret}
	}

	if d := c.Database; d != nil && s.Database != nil {
		s.Database.LockTimeout, s.Database.Patience = d.LockTimeout, d.Patience
	}

	for _, f := range c.Functions {
		s.CallTimeout = max(s.CallTimeout, f.Timeout)
		s.Functions = append(s.Functions, sm.AppFunction{
			Name: f.Name, Lambda: c.Lambda(f), Live: len(f.Events) > 0,
		})
	}

	for _, a := range c.AllAlarms(p.SiteBuckets) {
		s.Alarms = append(s.Alarms, sm.Alarm{Name: a.Name, Environment: a.Environment})
	}

	return s
}

// StagesOf is the last part of the ARN pattern that matches the stages of an API.
func StagesOf(api string) string { return api + "/api-*" }

var adopted = regexp.MustCompile(`:function:([^:]+)$`)

// Lambda is the name of the Lambda behind a function.
func (c Config) Lambda(f Function) string {
	if arn := adopted.FindStringSubmatch(f.Existing); arn != nil {
		return arn[1]
	}

	if f.Existing != "" {
		return f.Existing
	}

	return FunctionName(c.App, f.Name)
}

// Name is the name of resources of which an application has one in a Region.
func (c Config) Name() string { return "lockstep-" + c.App }

// StepTimeout is how long each of Lockstep's Lambdas may run.
const StepTimeout = 15 * time.Minute

// StepMemory is the memory of one of Lockstep's Lambdas, in MB. With a database, Begin gets a whole
// core, because it compiles Postgres's parser before it reads the first migration.
func (c Config) StepMemory(task sm.Task) int {
	if c.Database != nil && task == sm.Begin {
		return 1769
	}

	return 512
}

// LambdaName is the name of one of Lockstep's Lambdas.
func LambdaName(app string, task sm.Task) string { return sm.LambdaName(app, task) }

// CookieName is the name of the router's cookie; empty for the router's default. A cookie for a
// whole domain reaches other applications too, so its name contains the application's.
func (c Config) CookieName() string {
	if c.Site.CookieDomain == "" {
		return ""
	}

	return c.Name()
}

// FunctionName is the name of one of the application's functions.
func FunctionName(app, name string) string { return app + "-" + name }
