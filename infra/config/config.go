// Package config reads and checks an application's configuration, the context "lockstep" of
// cdk.json. It imports neither CDK nor the AWS SDK: the deployment to AWS and the local run read
// the same file by the same rules.
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
	// Probe is a Lambda of the application's team that tests a release before any viewer sees it.
	Probe         *sm.ProbeFunction `json:"probe"`
	Queue         sm.QueuePolicy    `json:"queue"`
	Notifications Notifications     `json:"notifications"`
	Router        Router            `json:"router"`
	Trigger       Trigger           `json:"trigger"`
	GitHub        *GitHub           `json:"github"`
	LogDays       int               `json:"logDays"` // how long logs are kept
}

// Site is how the site's paths become files, and for which hosts the router's cookie is valid.
type Site struct {
	Pages Pages `json:"pages"`
	// CookieDomain widens the router's cookie from the host that set it to a domain and all below it.
	CookieDomain string `json:"cookieDomain"`
}

// Pages is how a path without a file extension becomes a file.
type Pages string

// The two ways to serve pages.
const (
	Folder Pages = "folder" // /about is /about/index.html
	Single Pages = "single" // everything is /index.html
)

// Notifications say who is told about a release, and about which of its transitions.
type Notifications struct {
	Emails      []string    `json:"emails"`
	Transitions Transitions `json:"transitions"`
}

// Transitions selects the transitions that people are told about. The log and the bus have all of
// them in any case.
type Transitions string

const (
	// NotableTransitions are those where a release begins, waits, moves every viewer, or ends.
	NotableTransitions Transitions = "notable"
	// AllTransitions are the steps of the ramp too.
	AllTransitions Transitions = "all"
)

// Router is what runs at the edge.
type Router string

// The two routers.
const (
	CloudFrontFunction Router = "cloudfront-function" // reads the route from a key-value store
	LambdaEdge         Router = "lambda-edge"         // reads it from the state bucket
)

// Trigger is what starts a release.
type Trigger string

// The two triggers.
const (
	OnMerge  Trigger = "merge"  // the event that `lockstep release` puts on the bus
	OnUpload Trigger = "upload" // the object releases/<id>/release.json, for a CI that can only upload
)

// GitHub lets the workflows of a repository's branch release.
type GitHub struct {
	Repository string `json:"repository"` // owner/name
	Branch     string `json:"branch"`
	// Provider is the ARN of the account's identity provider for GitHub; empty to create one.
	Provider string `json:"provider"`
}

const minute = sm.Duration(time.Minute)

// harmBudget is the default ramp, if cdk.json gives none. functions/internal/release/blast
// measures what it achieves.
const harmBudget = 50

// defaults are the values of the keys that cdk.json does not give.
func defaults() Config {
	return Config{
		Site: Site{Pages: Folder}, Router: CloudFrontFunction, Trigger: OnMerge, LogDays: 30,
		Queue:   sm.Supersede,
		Ramp:    sm.RampPlan{MinimumRequests: 20, MaxExtensions: 6, OnInconclusive: sm.Hold},
		Verdict: sm.VerdictPlan{FalseAlarms: 0.5, Errors: 0.02, Slow: 15},
		Drain: sm.DrainPlan{
			Quiet: 15 * minute, AtMost: 24 * 60 * minute, Then: sm.ThenContract,
			HoldAtMost: 24 * 60 * minute,
		},
		Alarms: Alarms{
			Errors: 5, Worse: 2, Latency: sm.Duration(3 * time.Second), FunctionErrors: 5,
			MinimumRequests: 20, Period: minute,
		},
	}
}

// Load reads the context "lockstep" of a cdk.json. Its errors name the file, and what Parse says.
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
		return Config{}, fmt.Errorf("%s: cannot parse CDK's context: %w", file, err)
	}

	raw, found := cdk.Context["lockstep"]
	if !found {
		return Config{}, fmt.Errorf(
			"%s: context.lockstep: found nothing, expected an application's configuration", file)
	}

	c, err := Parse(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}

	return c, nil
}

// Parse reads and checks the context "lockstep", and fills in the defaults. Its errors name the
// path, what was found and what is expected.
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
