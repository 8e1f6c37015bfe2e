// Package config reads what an application asks of Lockstep: the context "lockstep" of cdk.json.
// It knows neither CDK nor AWS, so that whatever stands an application up, in the cloud or on one
// machine, reads the same file by the same rules.
package config

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	sm "lockstep/statemachine"
)

// Config is the context "lockstep" of cdk.json.
type Config struct {
	App       string         `json:"app"`
	Functions []Function     `json:"functions"`
	Site      Site           `json:"site"`
	Database  *Database      `json:"database"`
	Domains   Domains        `json:"domains"`
	Ramp      sm.RampPlan    `json:"ramp"`
	Windows   []sm.Window    `json:"windows"`
	Alarms    Alarms         `json:"alarms"`
	Verdict   sm.VerdictPlan `json:"verdict"` // how the two environments are compared
	Metrics   []sm.Metric    `json:"metrics"` // what is compared besides errors and latency
	Drain     sm.DrainPlan   `json:"drain"`
	// Probe is a Lambda of the team's that looks at a release before any viewer does.
	Probe         *sm.ProbeFunction `json:"probe"`
	Queue         sm.QueuePolicy    `json:"queue"`
	Notifications Notifications     `json:"notifications"`
	Router        Router            `json:"router"`
	Trigger       Trigger           `json:"trigger"`
	GitHub        *GitHub           `json:"github"`
	LogDays       int               `json:"logDays"` // how long logs are kept
}

// Function is a function of the application. Existing names one that is there already, by name or
// ARN, and adopts it; then only its routes and events are Lockstep's to say, and Timeout says its
// own, if that is more than 29s.
type Function struct {
	Name        string            `json:"name"`
	Existing    string            `json:"existing"`
	Runtime     string            `json:"runtime"`
	Handler     string            `json:"handler"`
	Routes      []string          `json:"routes"` // "/orders" takes what lies below it too
	Memory      int               `json:"memory"` // MB
	Timeout     sm.Duration       `json:"timeout"`
	Environment map[string]string `json:"environment"`
	Events      []Source          `json:"events"` // what calls it beside the API
	// Architecture is arm64, unless the function is built for x86_64.
	Architecture string `json:"architecture"`
}

// Site says what a path without a file extension asks for, and for which hosts a viewer is one.
type Site struct {
	Pages Pages `json:"pages"`
	// CookieDomain widens the router's cookie from the host that set it to a domain and all below it.
	CookieDomain string `json:"cookieDomain"`
}

// Pages is how paths become files.
type Pages string

const (
	Folder Pages = "folder" // /about is /about/index.html
	Single Pages = "single" // everything is /index.html
)

// Database is an existing one, by its secret and its network, or a new Aurora Serverless v2.
type Database struct {
	New    *NewDatabase `json:"new"`
	Secret string       `json:"secret"` // ARN
	VPC    *VPC         `json:"vpc"`
	// LockTimeout is how long a query of the application may wait for a change of the schema, 500ms
	// where not given; Patience is how long a step tries again, 2m where not given.
	LockTimeout sm.Duration `json:"lockTimeout"`
	Patience    sm.Duration `json:"patience"`
}

// NewDatabase is an Aurora Serverless v2 PostgreSQL that scales to zero.
type NewDatabase struct {
	Name        string  `json:"name"`
	MaxCapacity float64 `json:"maxCapacity"` // ACU
}

// VPC is where the database can be reached, with subnets that reach AWS too.
type VPC struct {
	ID             string   `json:"id"`
	Subnets        []string `json:"subnets"`
	SecurityGroups []string `json:"securityGroups"`
}

// Domains are names of the application's own.
type Domains struct {
	Site *Domain `json:"site"`
	API  *Domain `json:"api"`
}

// Domain is a name and the certificate for it: for the site in us-east-1, for the API where the
// API is.
type Domain struct {
	Name        string `json:"name"`
	Certificate string `json:"certificate"` // ARN
}

// Alarms are the thresholds at which an environment's alarms ring.
type Alarms struct {
	// percent of calls that the API answers with 5xx
	Errors float64 `json:"errors"`
	// percentage points by which active may fail more than fallback, by more than chance
	Worse   float64     `json:"worse"`
	Latency sm.Duration `json:"latency"` // p99
	// errors and throttles of one function within a period, where they are more than Errors of its
	// calls
	FunctionErrors float64 `json:"functionErrors"`
	// within a period, below which percentages say nothing
	MinimumRequests int         `json:"minimumRequests"`
	Period          sm.Duration `json:"period"`
}

// Notifications are who hears of a release, and of which of its transitions.
type Notifications struct {
	Emails      []string    `json:"emails"`
	Transitions Transitions `json:"transitions"`
}

// Transitions are those that people hear of. A log and the bus have all of them in any case.
type Transitions string

const (
	// where a release begins, waits for something, moves everyone or ends
	NotableTransitions Transitions = "notable"
	AllTransitions     Transitions = "all"
)

// Router is what runs at the edge.
type Router string

const (
	CloudFrontFunction Router = "cloudfront-function" // reads the route from a key-value store
	LambdaEdge         Router = "lambda-edge"         // reads it from the state bucket
)

// Trigger is what starts a release.
type Trigger string

const (
	OnMerge  Trigger = "merge"  // the event that `lockstep release` puts on the bus
	OnUpload Trigger = "upload" // the object releases/<id>/release.json, for a CI that can only upload
)

// GitHub lets the workflows of a repository's branch release.
type GitHub struct {
	Repository string `json:"repository"` // owner/name
	Branch     string `json:"branch"`
	// ARN of the account's identity provider; made where there is none
	Provider string `json:"provider"`
}

const minute = sm.Duration(time.Minute)

// harmBudget is by what a ramp goes that is said nothing of: functions/internal/release/blast has
// what it is worth.
const harmBudget = 50

// defaults are what an application gets that says nothing.
func defaults() Config {
	return Config{
		Site: Site{Pages: Folder}, Router: CloudFrontFunction, Trigger: OnMerge, LogDays: 30, Queue: sm.Supersede,
		Ramp: sm.RampPlan{
			MinimumRequests: 20, MaxExtensions: 6, OnInconclusive: sm.Hold,
		},
		Verdict: sm.VerdictPlan{FalseAlarms: 0.5, Errors: 0.02, Slow: 15},
		Drain: sm.DrainPlan{Quiet: 15 * minute, AtMost: 24 * 60 * minute, Then: sm.ThenContract,
			HoldAtMost: 24 * 60 * minute},
		Alarms: Alarms{Errors: 5, Worse: 2, Latency: sm.Duration(3 * time.Second), FunctionErrors: 5,
			MinimumRequests: 20, Period: minute},
	}
}

// Load reads the context "lockstep" of a cdk.json.
func Load(file string) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}

	if err := sm.CheckJSON(data); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}

	var cdk struct {
		Context map[string]json.RawMessage `json:"context"`
	}
	if err := json.Unmarshal(data, &cdk); err != nil {
		return Config{}, fmt.Errorf("%s: not JSON as CDK wants it: %w", file, err)
	}

	raw, found := cdk.Context["lockstep"]
	if !found {
		return Config{}, fmt.Errorf("%s: context.lockstep: found nothing, expected the configuration of "+
			"an application", file)
	}

	c, err := Parse(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}

	return c, nil
}

// Parse reads the context "lockstep". Its errors name the path, what was found and what is
// expected.
func Parse(data []byte) (Config, error) {
	if err := sm.CheckJSON(data); err != nil {
		return Config{}, fmt.Errorf("lockstep: %w", err)
	}

	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("lockstep: %w", err)
	}

	c := defaults()
	if err := shape("lockstep", raw, c); err != nil {
		return Config{}, err
	}

	if err := sm.DecodeStrict(data, &c); err != nil {
		return Config{}, fmt.Errorf("lockstep.%w", err)
	}

	c, err := c.complete()
	if err != nil {
		return Config{}, fmt.Errorf("lockstep.%w", err)
	}

	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("lockstep.%w", err)
	}

	return c, nil
}

// complete fills in what depends on what was said.
func (c Config) complete() (_ Config, err error) {
	if err := c.checkShorthand(); err != nil {
		return c, err
	}

	if c.Ramp, err = c.Ramp.Expanded(); err != nil {
		return c, err
	}

	// not among the defaults: with steps it would be one too many
	if c.Ramp.Steps == nil && c.Ramp.HarmBudget == 0 {
		c.Ramp.HarmBudget = harmBudget
	}

	if c.Ramp.HarmBudget != 0 && c.Ramp.Within == 0 {
		c.Ramp.Within = 60 * minute
	}

	for i := range c.Functions {
		f := &c.Functions[i]
		for j := range f.Events {
			switch s := &f.Events[j]; {
			case s.Batch != 0:
			case s.Queue != "":
				s.Batch = 10
			case s.Stream != "":
				s.Batch = 100
			}
		}

		if f.Existing != "" {
			continue
		}

		if f.Memory == 0 {
			f.Memory = 256
		}

		if f.Architecture == "" {
			f.Architecture = "arm64"
		}

		if f.Timeout == 0 {
			f.Timeout = sm.Duration(10 * time.Second)
		}
	}

	for i := range c.Metrics {
		m := &c.Metrics[i]
		if m.Events.Stat == "" {
			m.Events.Stat = "Sum"
		}

		if m.Of.Stat == "" && m.Of.Metric != "" {
			m.Of.Stat = "Sum"
		}

		if m.Tolerance == 0 {
			m.Tolerance = 10
		}
	}

	if c.Probe != nil && c.Probe.Timeout == 0 {
		c.Probe.Timeout = minute
	}

	if c.GitHub != nil && c.GitHub.Branch == "" {
		c.GitHub.Branch = "main"
	}

	if c.Database != nil && c.Database.New != nil && c.Database.New.MaxCapacity == 0 {
		c.Database.New.MaxCapacity = 4
	}

	return c, nil
}
