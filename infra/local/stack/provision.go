package stack

import (
	"cmp"
	"encoding/json"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// provision makes the resources: what CloudFormation does with the template. What a release moves
// is made where it is missing, so that a stack that was there already is left as a second
// deployment would leave it.
func (s *Stack) provision(o Options) error {
	machine, err := s.Cloud.States.Create("lockstep-"+o.App, Definition(o.App))
	if err != nil {
		return err
	}

	s.Settings.Machine = machine

	s.Settings.KeyValue = s.Cloud.KeyValue.Create("lockstep-" + o.App)
	if o.Secret != "" {
		s.Settings.Database = o.Database.Settings(s.Cloud.Secrets.Put("lockstep-"+o.App, o.Secret))
	}

	s.Cloud.S3.CreateBucket(s.Settings.StateBucket, true)
	s.Cloud.S3.SetVersioning(s.Settings.StateBucket)

	for _, e := range sm.Environments() {
		s.Cloud.S3.CreateBucket(s.Settings.SiteBuckets[e], false)

		if _, ok := s.Cloud.APIGateway.Stage(API, e.Stage()); !ok {
			s.Cloud.APIGateway.CreateStage(API, e.Stage(),
				map[string]string{sm.StageVariableAlias: e.Alias(), sm.StageVariableRelease: "none"})
		}
	}

	control, _ := json.Marshal(sm.Control{Active: sm.A, Fallback: sm.B})
	for _, p := range [][2]string{{sm.ControlParameter(o.App), string(control)},
		{sm.FreezeParameter(o.App), sm.Unfrozen}} {
		if _, ok := s.Cloud.SSM.Get(p[0]); ok {
			continue
		}

		if err := s.Cloud.SSM.Put(p[0], p[1]); err != nil {
			return err
		}
	}

	route, _ := json.Marshal(sm.Route{Active: sm.A, Fallback: sm.B})
	if _, ok := s.Cloud.KeyValue.Read(s.Settings.KeyValue, sm.RouteKey, time.Now()); !ok {
		if err := s.Cloud.KeyValue.Put(s.Settings.KeyValue, sm.RouteKey, string(route)); err != nil {
			return err
		}
	}

	s.Cloud.Scheduler.CreateGroup(s.Settings.Schedules.Group)

	if err := s.functions(o); err != nil {
		return err
	}

	if err := s.Cloud.S3.Put(s.Settings.StateBucket, sm.SettingsKey,
		s3.Object{Body: s.Settings.JSON(), ContentType: "application/json"}); err != nil {
		return err
	}

	if err := s.alarms(o); err != nil {
		return err
	}

	return s.rules(o)
}

// settings are the configuration's, with the names that AWS would give.
func settings(o Options) sm.Settings {
	set := o.Settings()
	set.StateBucket, set.SiteURL, set.API = o.App+"-lockstep-state", o.SiteURL, API
	set.SiteBuckets = map[sm.Environment]string{sm.A: o.App + "-site-a", sm.B: o.App + "-site-b"}
	set.Schedules = sm.Schedules{Group: "lockstep-" + o.App, Role: role(o.App, "scheduler")}
	set.Sweep = sm.Duration(cmp.Or(o.Sweep, set.Sweep.Std()))
	set.CallTimeout, set.MetricPeriod, set.EdgeConvergence = sm.Duration(
		o.CallTimeout), sm.Duration(o.MetricPeriod), sm.Duration(o.EdgeConvergence)

	return set
}

func role(app, of string) string {
	return "arn:aws:iam::" + wire.Account + ":role/lockstep-" + app + "-" + of
}

func (s *Stack) alarms(o Options) error {
	var judges []config.Alarm
	for _, e := range sm.Environments() {
		judges = append(judges, o.AlarmsOf(e, s.Settings.SiteBuckets[e])...)
	}

	for _, f := range o.Functions {
		judges = append(judges, o.FunctionAlarms(f)...)
	}

	for _, a := range judges {
		if err := s.alarm(a, o.Alarms.Period.Std()); err != nil {
			return err
		}
	}

	return nil
}

func (s *Stack) alarm(a config.Alarm, period time.Duration) error {
	queries := []types.MetricDataQuery{{Id: aws.String("judged"), Expression: &a.Expression,
		Label: &a.Description, ReturnData: aws.Bool(true)}}
	for _, m := range a.Metrics {
		metric := types.Metric{Namespace: &m.Namespace, MetricName: &m.Name}
		for _, d := range m.Dimensions {
			metric.Dimensions = append(metric.Dimensions, types.Dimension{Name: &d[0], Value: &d[1]})
		}

		queries = append(queries, types.MetricDataQuery{Id: &m.ID, ReturnData: aws.Bool(false),
			MetricStat: &types.MetricStat{Metric: &metric, Stat: &m.Stat,
				Period: aws.Int32(int32(period.Seconds()))}})
	}

	return s.Cloud.Metrics.PutAlarm(&cloudwatch.PutMetricAlarmInput{
		AlarmName: &a.Name, AlarmDescription: &a.Description, Metrics: queries, Threshold: &a.Threshold, EvaluationPeriods: aws.Int32(int32(a.Periods)), DatapointsToAlarm: aws.Int32(1),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, TreatMissingData: aws.String("notBreaching"),
	})
}

// functions makes Lockstep's Lambdas, or gives them the code of now, and the application's, with a
// published version behind each alias.
func (s *Stack) functions(o Options) error {
	for _, task := range sm.Functions() {
		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: config.LambdaName(o.App, task), Zip: o.Code[task], Timeout: 15 * time.Minute, MemoryMB: 512,
			Environment: map[string]string{sm.StateBucketVariable: s.Settings.StateBucket},
		}); err != nil {
			return err
		}
	}

	for _, f := range o.Functions {
		name, variables := o.Lambda(f), maps.Clone(f.Environment)
		if versions, _ := s.Cloud.Lambda.Published(name); len(versions) > 0 {
			continue
		}

		if d := s.Settings.Database; d != nil {
			if variables == nil {
				variables = map[string]string{}
			}

			variables[config.DatabaseSecretKey] = d.Secret
		}

		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: name, Zip: o.Placeholder, Handler: f.Handler, Timeout: f.Timeout.Std(), MemoryMB: f.Memory, Environment: variables,
		}); err != nil {
			return err
		}

		version, err := s.Cloud.Lambda.Publish(name)
		if err != nil {
			return err
		}

		for _, e := range sm.Environments() {
			if err := s.Cloud.Lambda.Alias(name, e.Alias(), version); err != nil {
				return err
			}
		}

		if err := s.events(o, f, version); err != nil {
			return err
		}
	}

	return nil
}

// events let a function be called by what matches its patterns, as it serves. Its other sources
// have no stand-in.
func (s *Stack) events(o Options, f config.Function, version string) error {
	if len(f.Events) == 0 {
		return nil
	}

	name := o.Lambda(f)
	if err := s.Cloud.Lambda.Alias(name, sm.LiveAlias, version); err != nil {
		return err
	}

	for i, source := range f.Events {
		if source.Pattern == nil {
			continue
		}

		pattern, err := json.Marshal(source.Pattern)
		if err != nil {
			return err
		}

		if source.Bus != "" {
			s.Cloud.Events.CreateBus(source.Bus)
		}

		rule := events.Rule{Name: config.SourceRule(o.App, f.Name, i), Bus: source.Bus,
			Pattern: string(pattern),
			Targets: []events.Target{{ID: "live", ARN: wire.ARN("lambda", "function:"+name+":"+
				sm.LiveAlias)}}}
		if err := s.Cloud.Events.PutRule(rule); err != nil {
			return err
		}
	}

	return nil
}

// every is how often a rule fires that has a schedule: in the settings' time, which a demo hastens.
func (s *Stack) every(r config.Rule) time.Duration {
	if r.Every > 0 {
		return s.Settings.Sweep.Std()
	}

	return 0
}

// rules are those of the template; the transitions' own are left out, since the page tells of them
// here.
func (s *Stack) rules(o Options) error {
	for _, r := range o.Rules(s.Settings.StateBucket, s.Settings.Machine) {
		var pattern []byte

		if r.Every == 0 {
			var err error
			if pattern, err = json.Marshal(r.Pattern()); err != nil {
				return err
			}
		}

		target := s.Settings.Machine
		if r.Task != "" {
			target = wire.ARN("lambda", "function:"+config.LambdaName(o.App, r.Task))
		}

		rule := events.Rule{Name: config.RuleName(o.App, r.Name), Pattern: string(pattern),
			Every: s.every(r), Disabled: !r.Enabled,
			Targets: []events.Target{{ID: "lockstep", ARN: target, RoleARN: role(o.App, "events")}}}
		if err := s.Cloud.Events.PutRule(rule); err != nil {
			return err
		}
	}

	return nil
}
