package config

import sm "lockstep/statemachine"

// Rule is an EventBridge rule of Lockstep's: what it matches, and whom it calls.
type Rule struct {
	Name       string
	Source     string
	DetailType string
	Detail     map[string]any
	// Task is the Lambda that it calls; without one it starts the machine.
	Task    sm.Task
	Enabled bool
}

// RuleName is the name of a rule.
func RuleName(app, rule string) string { return "lockstep-" + app + "-" + rule }

// Rules start the machine on a merge, or on an upload, and bring alarms, operators, the end of a freeze and dead
// executions to their Lambdas.
func (c Config) Rules(stateBucket, machine string) []Rule {
	app := []string{c.App}
	var alarms []any
	for _, e := range sm.Environments() { // by prefix: a pattern has no room for the alarms of 200 functions
		alarms = append(alarms, map[string]any{"prefix": AlarmName(c.App, e, "")})
	}
	return []Rule{
		{"merge", sm.SourceCI, sm.DetailMerge, map[string]any{"app": app}, "", c.Trigger == OnMerge},
		{"upload", "aws.s3", "Object Created", map[string]any{
			"bucket": map[string]any{"name": []string{stateBucket}},
			"object": map[string]any{"key": []any{map[string]any{"wildcard": sm.ReleasesPrefix + "*/release.json"}}},
		}, "", c.Trigger == OnUpload},
		{"alarm", "aws.cloudwatch", "CloudWatch Alarm State Change", map[string]any{"alarmName": alarms}, sm.Signal, true},
		{"operator", sm.SourceOperator, sm.DetailOperator, map[string]any{"app": app}, sm.Signal, true},
		{"freeze", "aws.ssm", sm.DetailParameter, map[string]any{"name": []string{sm.FreezeParameter(c.App)}}, sm.Signal, true},
		{"dead", "aws.states", "Step Functions Execution Status Change", map[string]any{
			"stateMachineArn": []string{machine}, "status": []string{"FAILED", "TIMED_OUT", "ABORTED"},
		}, sm.Recover, true},
	}
}

// Pattern is what EventBridge calls its event pattern.
func (r Rule) Pattern() map[string]any {
	return map[string]any{"source": []string{r.Source}, "detail-type": []string{r.DetailType}, "detail": r.Detail}
}
