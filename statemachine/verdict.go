package statemachine

import (
	"strings"
	"time"
)

// VerdictPlan says how active is compared with the fallback.
type VerdictPlan struct {
	// FalseAlarms is how many percent of good releases the comparison may call bad, at most.
	FalseAlarms float64 `json:"falseAlarms"`
	// Errors is how many percentage points more of active's calls may fail.
	Errors float64 `json:"errors"`
	// Slow is how many percent more of active's calls may be slow: slower than nine of ten calls of
	// the fallback were before the ramp.
	Slow float64 `json:"slow"`
}

// Metric is one that the team names: how often something happens, of how often it could.
type Metric struct {
	Name   string `json:"name"`   // in words: "orders"
	Events Series `json:"events"` // counts what happens
	// counts what it could have happened to; the calls of the API where it says nothing
	Of     Series `json:"of"`
	Better Better `json:"better"`
	// Tolerance is by how many percent active may be worse.
	Tolerance float64 `json:"tolerance"`
}

// Better says which way a metric should go.
type Better string

const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// Series is a metric in CloudWatch, of both environments: in the values of its dimensions
// {environment} stands for a or b, {stage} for api-a or api-b.
type Series struct {
	Namespace  string            `json:"namespace"`
	Metric     string            `json:"metric"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	// Stat is one that counts: Sum, SampleCount, or TC(500:) for the values above 500.
	Stat string `json:"stat"`
}

// In is the series of one environment.
func (s Series) In(e Environment) Series {
	fill := strings.NewReplacer("{environment}", string(e), "{stage}", e.Stage())

	dimensions := make(map[string]string, len(s.Dimensions))
	for name, value := range s.Dimensions {
		dimensions[name] = fill.Replace(value)
	}

	s.Dimensions = dimensions

	return s
}

// Calls is the series of a metric that API Gateway keeps of each stage.
func (s Settings) Calls(metric, stat string) Series {
	return Series{Namespace: "AWS/ApiGateway", Metric: metric, Stat: stat,
		Dimensions: map[string]string{"ApiName": s.APIName, "Stage": "{stage}"}}
}

// Pace is what counts as slow: a call that took longer than Above, from Since on, is one. It is
// set before the calls that it is held against, so that they have no say in it.
type Pace struct {
	Above float64   `json:"above"` // milliseconds
	Since time.Time `json:"since"`
}
