// Package stack stands Lockstep and an application up on the stand-ins as a deployment does on AWS:
// the template's resources under the same names, then the very custom resource of AWS. So a Lambda
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

// Options say what is stood up: the application as cdk.json describes it, and what no file can say.
type Options struct {
	config.Config

	SiteURL string
	// Code is the zip of each of Lockstep's Lambdas.
	Code map[sm.Task][]byte
	// Placeholder is what the application's functions are before the first release.
	Placeholder []byte
	// Secret is the database's, as RDS keeps it; empty for an application without one.
	Secret string
	Runner lambda.Runner
	Limits lambda.Limits
	// Load fills the account with what an earlier process kept; nil for a new one. Cloud.Resume sets
	// it going.
	Load func(*cloud.Cloud) error

	Sweep           time.Duration // how often Recover looks; as on AWS where it is not said
	CallTimeout     time.Duration
	MetricPeriod    time.Duration
	EdgeConvergence time.Duration
}

// Stack is what stands.
type Stack struct {
	Settings sm.Settings
	Cloud    *cloud.Cloud
	Front    http.Handler // the distribution, with the API behind it
}

// Up stands it up. Close ends it.
func Up(o Options) (_ *Stack, err error) {
	if o.Ramp, err = o.Ramp.Expanded(); err != nil {
		return nil, err
	}

	s := &Stack{Cloud: cloud.New(o.Runner, o.Limits)}
	if o.Load != nil {
		if err := o.Load(s.Cloud); err != nil {
			s.Close()
			return nil, fmt.Errorf("take over what was kept of %s: %w", o.App, err)
		}
	}

	if err := s.deploy(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("stand up %s: %w", o.App, err)
	}

	s.Front = s.front(o)

	return s, nil
}

// deploy makes everything in an order that CloudFormation could choose. What calls somebody comes
// last, so that nothing happens while the rest is being made.
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

// Definition is the definition with the ARNs of an application's Lambdas.
func Definition(app string) string {
	var pairs []string

	for _, task := range sm.Tasks() {
		arn := wire.ARN("lambda", "function:"+config.LambdaName(app, task))
		pairs = append(pairs, "${"+string(task)+"}", arn)
	}

	return strings.NewReplacer(pairs...).Replace(sm.Definition)
}
