// Package stack deploys Lockstep and an application to the stand-ins as the template does to AWS:
// the resources have the same names, and the custom resource is the same code, so that a Lambda
// cannot tell the difference. The local run and the tests use it.
package stack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"lockstep/infra/config"
	"lockstep/infra/customresource"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// API is the id of the REST API.
const API = "shopapi001"

// Options are what is deployed: the application as cdk.json describes it, its code, and how fast
// things go.
type Options struct {
	config.Config

	SiteURL string // where viewers go
	// Code is the zip of each of Lockstep's Lambdas.
	Code map[sm.Task][]byte
	// Placeholder is the zip of the application's functions before their first release.
	Placeholder []byte
	// Secret is the database's secret in the format of RDS; empty for an application without one.
	Secret string
	Runner lambda.Runner // runs the functions
	Limits lambda.Limits // Lambda's quotas
	// Load fills the account with the state that an earlier process saved; nil for a new account.
	// Cloud.Resume continues its executions and schedules.
	Load func(*cloud.Cloud) error

	Sweep           time.Duration // how often Recover runs in case an event was lost; 0 as on AWS
	CallTimeout     time.Duration // the longest that a function may run
	MetricPeriod    time.Duration // the resolution of the metrics
	EdgeConvergence time.Duration // until a route reaches every edge location
}

// Stack is a deployed application with its Lockstep.
type Stack struct {
	Settings sm.Settings
	Cloud    *cloud.Cloud
	Front    http.Handler // the distribution and the API behind it
}

// Up deploys a stack. Close ends it.
func Up(o Options) (_ *Stack, err error) {
	if o.Ramp, err = o.Ramp.Expanded(); err != nil {
		return nil, err
	}

	s := &Stack{Cloud: cloud.New(o.Runner, o.Limits)}
	if o.Load != nil {
		if err := o.Load(s.Cloud); err != nil {
			s.Close()
			return nil, fmt.Errorf("load the saved state of %s: %w", o.App, err)
		}
	}

	if err := s.deploy(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("deploy %s: %w", o.App, err)
	}

	s.Front = s.front(o)

	return s, nil
}

// deploy creates everything in an order that CloudFormation could choose. Alarms, rules
// and event sources come last, so that nothing is called before everything exists.
func (s *Stack) deploy(o Options) error {
	if err := s.resources(o); err != nil {
		return err
	}

	resource := customresource.New(s.Cloud.Config())

	_, _, err := resource.Handle(context.Background(), cfn.Event{
		RequestType: cfn.RequestCreate,
		ResourceProperties: map[string]any{
			"Settings": string(s.Settings.JSON()),
			"Caller":   wire.ARN("execute-api", config.StagesOf(API)),
		},
	})
	if err != nil {
		return err
	}

	return s.callers(o)
}

// Close ends every execution, schedule and process.
func (s *Stack) Close() { s.Cloud.Close() }

// Definition is the state machine's definition with the ARNs of an application's Lambdas.
func Definition(app string) string {
	var pairs []string

	for _, task := range sm.Tasks() {
		arn := wire.ARN("lambda", "function:"+config.LambdaName(app, task))
		pairs = append(pairs, "${"+string(task)+"}", arn)
	}

	return strings.NewReplacer(pairs...).Replace(sm.Definition)
}
