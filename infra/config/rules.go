package config

import (
	"fmt"

	sm "lockstep/statemachine"
)

// Rule is an EventBridge rule of Lockstep's: what it matches, and whom it calls.
type Rule struct {
	Name       string
	Source     string
	DetailType string
	Detail     map[string]any
	// Every makes it a schedule instead, which calls by the clock.
	Every sm.Duration
	// Task is the Lambda that it calls; without one it starts the machine.
	Task    sm.Task
	Enabled bool
}

// DefaultBus is where the services of AWS put their events.
const DefaultBus = "default"

// SourceRule is the name of the rule behind a function's event source.
func SourceRule(app, function string, i int) string {
	return fmt.Sprintf("%s-%d", FunctionName(app, function), i)
}

// RuleName is the name of a rule of Lockstep's.
func RuleName(app, rule string) string { return "lockstep-" + app + "-" + rule }

// Rules start the machine on a merge, or on an upload, and bring alarms, operators, the end of a
// freeze and dead executions to their Lambdas; by the clock, Recover looks for what none of them
// told it.
func (c Config) Rules(s sm.Settings) []Rule {
	app := []string{c.App}

	var alarms []any
	// by prefix: a pattern has no room for the alarms of 200 functions
	for _, e := range append(sm.Environments(), sm.LiveAlias) {
		alarms = append(alarms, map[string]any{"prefix": AlarmName(c.App, e, "")})
	}

	return []Rule{
		{Name: "merge", Source: sm.SourceCI, DetailType: sm.DetailMerge,
			Detail: map[string]any{"app": app}, Enabled: c.Trigger == OnMerge},
		{Name: "upload", Source: "aws.s3", DetailType: "Object Created", Detail: map[string]any{
			"bucket": map[string]any{"name": []string{s.StateBucket}},
			"object": map[string]any{"key": []any{map[string]any{"wildcard": sm.ReleasesPrefix +
				"*/release.json"}}},
		}, Enabled: c.Trigger == OnUpload},
		{Name: "alarm", Source: "aws.cloudwatch", DetailType: "CloudWatch Alarm State Change",
			Detail: map[string]any{"alarmName": alarms}, Task: sm.Signal, Enabled: true},
		{Name: "operator", Source: sm.SourceOperator, DetailType: sm.DetailOperator,
			Detail: map[string]any{"app": app}, Task: sm.Signal, Enabled: true},
		{Name: "freeze", Source: "aws.ssm", DetailType: sm.DetailParameter,
			Detail: map[string]any{"name": []string{sm.FreezeParameter(c.App)}}, Task: sm.Signal, Enabled: true},
		{Name: "dead", Source: "aws.states", DetailType: "Step Functions Execution Status Change",
			Detail: map[string]any{
				"stateMachineArn": []string{s.Machine}, "status": []string{"FAILED", "TIMED_OUT", "ABORTED"},
			}, Task: sm.Recover, Enabled: true},
		{Name: "sweep", Every: s.Sweep, Task: sm.Recover, Enabled: true},
	}
}

// Pattern is what EventBridge calls its event pattern.
func (r Rule) Pattern() map[string]any {
	return map[string]any{"source": []string{r.Source}, "detail-type": []string{r.DetailType},
		"detail": r.Detail}
}
