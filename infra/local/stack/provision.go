package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// provision makes the resources: what CloudFormation does with the template.
func (s *Stack) provision(o Options) error {
	machine, err := s.Cloud.States.Create("lockstep-"+o.App, Definition(o.App))
	if err != nil {
		return err
	}
	s.Settings.Machine = machine
	s.Settings.KeyValue = s.Cloud.KeyValue.Create("lockstep-" + o.App)
	if o.Secret != "" {
		s.Settings.Database = &sm.Database{Secret: s.Cloud.Secrets.Put("lockstep-"+o.App, o.Secret)}
	}
	s.Cloud.S3.CreateBucket(s.Settings.StateBucket, true)
	for _, e := range sm.Environments() {
		s.Cloud.S3.CreateBucket(s.Settings.SiteBuckets[e], false)
		s.Cloud.APIGateway.CreateStage(API, e.Stage(), map[string]string{sm.StageVariableAlias: e.Alias(), sm.StageVariableRelease: "none"})
	}
	control, _ := json.Marshal(sm.Control{Active: sm.A, Fallback: sm.B})
	if err := s.Cloud.SSM.Put(sm.ControlParameter(o.App), string(control)); err != nil {
		return err
	}
	route, _ := json.Marshal(sm.Route{Active: sm.A, Fallback: sm.B})
	if err := s.Cloud.KeyValue.Put(s.Settings.KeyValue, sm.RouteKey, string(route)); err != nil {
		return err
	}
	s.Cloud.Scheduler.CreateGroup(s.Settings.Schedules.Group)
	if err := s.functions(o); err != nil {
		return err
	}
	if err := s.Cloud.S3.Put(s.Settings.StateBucket, sm.SettingsKey, s3.Object{Body: s.Settings.JSON(), ContentType: "application/json"}); err != nil {
		return err
	}
	if err := s.alarms(o); err != nil {
		return err
	}
	return s.rules(o)
}

func settings(o Options) sm.Settings {
	set := sm.Settings{
		App: o.App, StateBucket: o.App + "-lockstep-state", SiteURL: o.SiteURL, API: API, APIName: o.App, Bus: "default",
		SiteBuckets:  map[sm.Environment]string{sm.A: o.App + "-site-a", sm.B: o.App + "-site-b"},
		Schedules:    sm.Schedules{Group: "lockstep-" + o.App, Role: role(o.App, "scheduler")},
		Ramp:         o.Ramp,
		Drain:        o.Drain,
		CallTimeout:  sm.Duration(o.CallTimeout),
		MetricPeriod: sm.Duration(o.MetricPeriod), EdgeConvergence: sm.Duration(o.EdgeConvergence),
	}
	for _, name := range slices.Sorted(maps.Keys(o.Functions)) {
		set.Functions = append(set.Functions, sm.AppFunction{Name: name, Lambda: FunctionName(o.App, name)})
	}
	for _, e := range sm.Environments() {
		set.Alarms = append(set.Alarms, sm.Alarm{Name: alarmName(o.App, e), Environment: e})
	}
	return set
}

func alarmName(app string, e sm.Environment) string { return fmt.Sprintf("%s-%s-api-5xx", app, e) }

func role(app, of string) string {
	return "arn:aws:iam::" + wire.Account + ":role/lockstep-" + app + "-" + of
}

// alarms ring for an environment whose API answers too many calls with 5xx.
func (s *Stack) alarms(o Options) error {
	for _, a := range s.Settings.Alarms {
		if err := s.Cloud.Metrics.PutAlarm(&cloudwatch.PutMetricAlarmInput{
			AlarmName: &a.Name, AlarmDescription: aws.String("calls of " + a.Environment.Stage() + " that the API answered with 5xx"),
			Namespace: aws.String("AWS/ApiGateway"), MetricName: aws.String("5XXError"), Statistic: types.StatisticSum,
			Dimensions: []types.Dimension{{Name: aws.String("ApiName"), Value: &o.App}, {Name: aws.String("Stage"), Value: aws.String(a.Environment.Stage())}},
			Period:     aws.Int32(int32(o.Alarm.Period.Seconds())), EvaluationPeriods: aws.Int32(1), Threshold: &o.Alarm.Errors,
			ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold, TreatMissingData: aws.String("notBreaching"),
		}); err != nil {
			return err
		}
	}
	return nil
}

// functions makes Lockstep's Lambdas and the application's, with a published version behind each alias.
func (s *Stack) functions(o Options) error {
	for _, task := range sm.Functions() {
		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: LambdaName(o.App, task), Zip: o.Code[task], Timeout: 15 * time.Minute, MemoryMB: 512,
			Environment: map[string]string{sm.StateBucketVariable: s.Settings.StateBucket},
		}); err != nil {
			return err
		}
	}
	for _, f := range s.Settings.Functions {
		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: f.Lambda, Zip: o.Placeholder, Timeout: 10 * time.Second, Environment: o.Environment,
		}); err != nil {
			return err
		}
		version, err := s.Cloud.Lambda.Publish(f.Lambda)
		if err != nil {
			return err
		}
		for _, e := range sm.Environments() {
			if err := s.Cloud.Lambda.Alias(f.Lambda, e.Alias(), version); err != nil {
				return err
			}
		}
	}
	return nil
}

// rules start the machine on a merge and bring alarms, operators and dead executions to their Lambdas.
func (s *Stack) rules(o Options) error {
	function := func(task sm.Task) string { return wire.ARN("lambda", "function:"+LambdaName(o.App, task)) }
	rules := []struct {
		name    string
		pattern map[string]any
		target  string
	}{
		{"merge", map[string]any{"source": []string{sm.SourceCI}, "detail-type": []string{sm.DetailMerge},
			"detail": map[string]any{"app": []string{o.App}}}, s.Settings.Machine},
		{"alarm", map[string]any{"source": []string{"aws.cloudwatch"}, "detail-type": []string{"CloudWatch Alarm State Change"},
			"detail": map[string]any{"alarmName": s.Settings.AlarmNames()}}, function(sm.Signal)},
		{"operator", map[string]any{"source": []string{sm.SourceOperator}, "detail-type": []string{sm.DetailOperator},
			"detail": map[string]any{"app": []string{o.App}}}, function(sm.Signal)},
		{"dead", map[string]any{"source": []string{"aws.states"}, "detail-type": []string{"Step Functions Execution Status Change"},
			"detail": map[string]any{"stateMachineArn": []string{s.Settings.Machine}, "status": []string{"FAILED", "TIMED_OUT", "ABORTED"}}}, function(sm.Recover)},
	}
	for _, r := range rules {
		pattern, err := json.Marshal(r.pattern)
		if err != nil {
			return err
		}
		rule := events.Rule{Name: "lockstep-" + o.App + "-" + r.name, Pattern: string(pattern), Targets: []events.Target{{ID: "lockstep", ARN: r.target, RoleARN: role(o.App, "events")}}}
		if err := s.Cloud.Events.PutRule(rule); err != nil {
			return err
		}
	}
	return nil
}
