// Package stack stands Lockstep and an application up on the stand-ins, as infra does on AWS: the same
// resources under the same names, so that a Lambda can't tell the difference. The local run and the
// tests use it.
package stack

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// API is the id of the REST API.
const API = "shopapi001"

// Options say what is stood up.
type Options struct {
	App     string
	SiteURL string
	// Functions are the application's, by name, with the resource of the API that each serves.
	Functions map[string]string
	// Code is the zip of each of Lockstep's Lambdas.
	Code map[sm.Task][]byte
	// Placeholder is what the application's functions are before the first release.
	Placeholder []byte
	// Environment is that of the application's functions.
	Environment map[string]string
	// Secret is the database's, as RDS keeps it; empty for an application without one.
	Secret string
	Runner lambda.Runner
	Limits lambda.Limits

	Ramp            sm.RampPlan
	Drain           sm.DrainPlan
	CallTimeout     time.Duration
	MetricPeriod    time.Duration
	EdgeConvergence time.Duration
	Alarm           AlarmPlan
}

// AlarmPlan is when an environment's alarm rings: so many failed calls within a period.
type AlarmPlan struct {
	Errors float64
	Period time.Duration
}

// Stack is what stands.
type Stack struct {
	Settings sm.Settings
	Cloud    *cloud.Cloud
	Front    http.Handler // the distribution, with the API behind it
}

// Up stands it up. Close ends it.
func Up(o Options) (*Stack, error) {
	s := &Stack{Cloud: cloud.New(o.Runner, o.Limits), Settings: settings(o)}
	if err := s.provision(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("stand up %s: %w", o.App, err)
	}
	s.Front = s.front(o)
	return s, nil
}

// Close ends every execution, schedule and process.
func (s *Stack) Close() { s.Cloud.Close() }

// LambdaName is the name of one of Lockstep's Lambdas.
func LambdaName(app string, task sm.Task) string {
	return "lockstep-" + app + "-" + strings.ToLower(string(task))
}

// FunctionName is the name of one of the application's.
func FunctionName(app, name string) string { return app + "-" + name }

// Definition is the definition with the ARNs of an application's Lambdas.
func Definition(app string) string {
	var pairs []string
	for _, task := range sm.Tasks() {
		pairs = append(pairs, "${"+string(task)+"}", wire.ARN("lambda", "function:"+LambdaName(app, task)))
	}
	return strings.NewReplacer(pairs...).Replace(sm.Definition)
}
