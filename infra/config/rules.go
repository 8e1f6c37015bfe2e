package config

import (
	"fmt"

	sm "lockstep/statemachine"
)

// Rule is one of Lockstep's EventBridge rules: the events that it matches, and its target.
type Rule struct {
	Name       string
	Source     string
	DetailType string
	Detail     map[string]any
	// Every makes the rule a schedule instead, which calls its target at this interval.
	Every sm.Duration
	// Task is the Lambda that is the target. Without one the rule starts the state machine.
	Task    sm.Task
	Enabled bool
}

// DefaultBus is the event bus of the AWS services.
const DefaultBus = "default"

// SourceRule is the name of the rule behind a function's event source.
func SourceRule(app, function string, i int) string {
	return fmt.Sprintf("%s-%d", FunctionName(app, function), i)
}

// RuleName is the name of one of Lockstep's rules.
func RuleName(app, rule string) string { return "lockstep-" + app + "-" + rule }

// Rules lists Lockstep's rules. They start the state machine on a merge or an upload. They call
// Signal for an alarm, an operator's request or a change of the freeze parameter. They call Recover
// for an execution that failed or was stopped and, in case an event was lost, at intervals.
func (c Config) Rules(s sm.Settings) []Rule {
	app := []string{c.App}

	// The pattern names the alarms by prefix: it has no room for those of 200 functions.
	var alarms []any
	for _, e := range append(sm.Environments(), sm.LiveAlias) {
		alarms = append(alarms, map[string]any{"prefix": AlarmName(c.App, e, "")})
	}

	manifests := []any{map[string]any{"wildcard": sm.ReleasesPrefix + "*/release.json"}}

	return []Rule{
		{Name: "merge", Source: sm.SourceCI, DetailType: sm.DetailMerge,
			Detail: map[string]any{"app": app}, Enabled: c.Trigger == OnMerge},
		{Name: "upload", Source: "aws.s3", DetailType: "Object Created",
			Detail: map[string]any{
				"bucket": map[string]any{"name": []string{s.StateBucket}},
				"object": map[string]any{"key": manifests},
			}, Enabled: c.Trigger == OnUpload},
		{Name: "alarm", Source: "aws.cloudwatch", DetailType: "CloudWatch Alarm State Change",
			Detail: map[string]any{"alarmName": alarms}, Task: sm.Signal, Enabled: true},
		{Name: "operator", Source: sm.SourceOperator, DetailType: sm.DetailOperator,
			Detail: map[string]any{"app": app}, Task: sm.Signal, Enabled: true},
		{Name: "freeze", Source: "aws.ssm", DetailType: sm.DetailParameter,
			Detail: map[string]any{"name": []string{sm.FreezeParameter(c.App)}},
			Task:   sm.Signal, Enabled: true},
		{Name: "dead", Source: "aws.states", DetailType: "Step Functions Execution Status Change",
			Detail: map[string]any{
				"stateMachineArn": []string{s.Machine},
				"status":          []string{"FAILED", "TIMED_OUT", "ABORTED"},
			}, Task: sm.Recover, Enabled: true},
		{Name: "sweep", Every: s.Sweep, Task: sm.Recover, Enabled: true},
	}
}

// Pattern is the rule's event pattern.
func (r Rule) Pattern() map[string]any {
	return map[string]any{
		"source": []string{r.Source}, "detail-type": []string{r.DetailType}, "detail": r.Detail,
	}
}
