// Package stack stands Lockstep and an application up on the stand-ins, as infra does on AWS: the
// same resources under the same names, so that a Lambda can't tell the difference. The local run
// and the tests use it.
package stack

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// API is the id of the REST API.
const API = "shopapi001"

// Options say what is stood up: the application as cdk.json describes it, and what is not for a
// file to say.
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

	s := &Stack{Cloud: cloud.New(o.Runner, o.Limits), Settings: settings(o)}
	if o.Load != nil {
		if err := o.Load(s.Cloud); err != nil {
			s.Close()
			return nil, fmt.Errorf("take over what was kept of %s: %w", o.App, err)
		}
	}

	if err := s.provision(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("stand up %s: %w", o.App, err)
	}

	s.Front = s.front(o)

	return s, nil
}

// Close ends every execution, schedule and process.
func (s *Stack) Close() { s.Cloud.Close() }

// Definition is the definition with the ARNs of an application's Lambdas.
func Definition(app string) string {
	var pairs []string
	for _, task := range sm.Tasks() {
		pairs = append(pairs, "${"+string(task)+"}",
			wire.ARN("lambda", "function:"+config.LambdaName(app, task)))
	}

	return strings.NewReplacer(pairs...).Replace(sm.Definition)
}
