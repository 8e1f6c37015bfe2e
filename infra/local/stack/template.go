package stack

import (
	"cmp"
	"encoding/json"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// This file has what the template declares, and nothing that the custom resource creates. In a
// loaded account, existing resources stay as they are, as when a template is deployed again.

// resources creates the state machine, the functions, and what the settings name.
func (s *Stack) resources(o Options) error {
	s.Settings = settings(o, s.places(o))
	if _, err := s.Cloud.States.Create(o.Name(), Definition(o.App)); err != nil {
		return err
	}

	return s.functions(o)
}

// callers creates what calls a target: alarms, rules and event sources.
func (s *Stack) callers(o Options) error {
	if err := s.alarms(o); err != nil {
		return err
	}

	if err := s.rules(o); err != nil {
		return err
	}

	return s.sources(o)
}

// places creates what the settings name: buckets, stages without variables, a key-value store
// without a route.
func (s *Stack) places(o Options) config.Places {
	p := config.Places{
		StateBucket: o.App + "-lockstep-state", SiteBuckets: map[sm.Environment]string{},
		SiteURL: o.SiteURL, API: API, KeyValue: s.Cloud.KeyValue.Create(o.Name()),
		Machine: wire.ARN("states", "stateMachine:"+o.Name()), SchedulerRole: role(o, "scheduler"),
	}
	if o.Secret != "" {
		p.Secret = s.Cloud.Secrets.Put(o.Name(), o.Secret)
	}

	s.Cloud.S3.CreateBucket(p.StateBucket, true)
	s.Cloud.S3.SetVersioning(p.StateBucket)

	for _, e := range sm.Environments() {
		p.SiteBuckets[e] = o.App + "-site-" + string(e)
		s.Cloud.S3.CreateBucket(p.SiteBuckets[e], false)

		if _, ok := s.Cloud.APIGateway.Stage(API, e.Stage()); !ok {
			s.Cloud.APIGateway.CreateStage(API, e.Stage(), nil)
		}
	}

	s.Cloud.Scheduler.CreateGroup(o.Name())

	return p
}

// settings are the settings as on AWS, apart from how fast things go here.
func settings(o Options, p config.Places) sm.Settings {
	set := o.Config.Settings(p)
	set.Sweep = cmp.Or(sm.Duration(o.Sweep), set.Sweep)
	set.CallTimeout, set.MetricPeriod = sm.Duration(o.CallTimeout), sm.Duration(o.MetricPeriod)
	set.EdgeConvergence = sm.Duration(o.EdgeConvergence)

	return set
}

func role(o Options, of string) string {
	return "arn:aws:iam::" + wire.Account + ":role/" + o.Name() + "-" + of
}

// functions creates Lockstep's Lambdas, or updates their code. It creates the application's
// functions with the placeholder and without versions, adopted functions too.
func (s *Stack) functions(o Options) error {
	for _, task := range sm.Functions() {
		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: config.LambdaName(o.App, task), Zip: o.Code[task],
			Timeout: config.StepTimeout, MemoryMB: o.StepMemory(task),
			Environment: map[string]string{sm.StateBucketVariable: s.Settings.StateBucket},
		}); err != nil {
			return err
		}
	}

	for _, f := range o.Functions {
		name, variables := o.Lambda(f), map[string]string{}
		if versions, _ := s.Cloud.Lambda.Published(name); len(versions) > 0 {
			continue
		}

		maps.Copy(variables, f.Environment)

		if d := s.Settings.Database; d != nil {
			variables[config.DatabaseSecretKey] = d.Secret
		}

		if _, err := s.Cloud.Lambda.Create(lambda.Function{
			Name: name, Zip: o.Placeholder, Handler: f.Handler, Timeout: f.Timeout.Std(),
			MemoryMB: f.Memory, Environment: variables,
		}); err != nil {
			return err
		}
	}

	return nil
}

// alarms creates the alarms of the environments and functions.
func (s *Stack) alarms(o Options) error {
	for _, a := range o.AllAlarms(s.Settings.SiteBuckets) {
		var in cloudwatch.PutMetricAlarmInput

		properties, err := json.Marshal(a.Properties())
		if err == nil {
			err = json.Unmarshal(properties, &in)
		}

		if err == nil {
			err = s.Cloud.Metrics.PutAlarm(&in)
		}

		if err != nil {
			return err
		}
	}

	return nil
}

// rules creates Lockstep's rules, apart from those that send the transitions to a topic and a log:
// here the page shows them.
func (s *Stack) rules(o Options) error {
	for _, r := range o.Rules(s.Settings) {
		rule := events.Rule{
			Name: config.RuleName(o.App, r.Name), Every: r.Every.Std(), Disabled: !r.Enabled,
		}

		target := s.Settings.Machine
		if r.Task != "" {
			target = wire.ARN("lambda", "function:"+config.LambdaName(o.App, r.Task))
		}

		rule.Targets = []events.Target{{ID: "lockstep", ARN: target, RoleARN: role(o, "events")}}

		if r.Every == 0 {
			pattern, err := json.Marshal(r.Pattern())
			if err != nil {
				return err
			}

			rule.Pattern = string(pattern)
		}

		if err := s.Cloud.Events.PutRule(rule); err != nil {
			return err
		}
	}

	return nil
}

// sources binds the event patterns of the functions to their aliases live. Other event sources
// have no stand-in.
func (s *Stack) sources(o Options) error {
	for _, f := range o.Functions {
		live := wire.ARN("lambda", "function:"+o.Lambda(f)+":"+sm.LiveAlias)
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

			if err := s.Cloud.Events.PutRule(events.Rule{
				Name: config.SourceRule(o.App, f.Name, i), Bus: source.Bus, Pattern: string(pattern),
				Targets: []events.Target{{ID: "live", ARN: live}},
			}); err != nil {
				return err
			}
		}
	}

	return nil
}
