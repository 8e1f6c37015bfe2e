package config

import (
	"regexp"
	"time"

	sm "lockstep/statemachine"
)

const (
	// edgeConvergence is how long CloudFront's key-value store was measured to take, and some more.
	edgeConvergence = 90 * time.Second
	// lambdaConvergence is how long Lambda@Edge keeps a route, and some more.
	lambdaConvergence = 15 * time.Second
	// callTimeout is how long API Gateway waits for a function.
	callTimeout = 29 * time.Second
	// longestCall is how long Lambda lets a function run.
	longestCall = 15 * time.Minute
	// Sweep is how often Recover looks for what nobody told it.
	Sweep = 5 * time.Minute
)

// Settings are those of the steps as far as the configuration says them; what stands the
// application up adds the names of what it made.
func (c Config) Settings() sm.Settings {
	s := sm.Settings{
		App: c.App, APIName: c.App, Bus: "default", Ramp: c.Ramp, Windows: c.Windows, Verdict: c.Verdict, Metrics: c.Metrics,
		Drain: c.Drain, Queue: c.Queue, Probe: c.Probe, Sweep: sm.Duration(Sweep),
		CallTimeout: sm.Duration(callTimeout), MetricPeriod: minute, EdgeConvergence: sm.Duration(edgeConvergence),
	}
	if c.Router == LambdaEdge {
		s.EdgeConvergence = sm.Duration(lambdaConvergence)
	}

	for _, f := range c.Functions {
		s.CallTimeout = max(s.CallTimeout, f.Timeout)
		s.Functions = append(s.Functions, sm.AppFunction{Name: f.Name, Lambda: c.Lambda(f),
			Live: len(f.Events) > 0})
	}

	for _, e := range sm.Environments() {
		for _, kind := range AlarmKinds() {
			s.Alarms = append(s.Alarms, sm.Alarm{Name: AlarmName(c.App, e, kind), Environment: e})
		}
	}

	for _, f := range c.Functions {
		for _, a := range c.FunctionAlarms(f) {
			s.Alarms = append(s.Alarms, sm.Alarm{Name: a.Name, Environment: a.Environment})
		}
	}

	return s
}

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

// LambdaName is the name of one of Lockstep's Lambdas.
func LambdaName(app string, task sm.Task) string { return sm.LambdaName(app, task) }

// CookieName is that of the router's cookie; "" is the router's own. A cookie for a whole domain
// is sent to every other application on it, so it has the application's name.
func (c Config) CookieName() string {
	if c.Site.CookieDomain == "" {
		return ""
	}

	return "lockstep-" + c.App
}

// FunctionName is the name of one of the application's.
func FunctionName(app, name string) string { return app + "-" + name }
