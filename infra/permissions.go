package infra

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// permissions are a step's permissions: the calls of its adapters, on the resources of its
// settings.
func (l *Lockstep) permissions(task sm.Task, a application) []awsiam.PolicyStatement {
	var list []awsiam.PolicyStatement

	add := func(of []sm.Task, statements ...awsiam.PolicyStatement) {
		if slices.Contains(of, task) {
			list = append(list, statements...)
		}
	}
	l.onLockstep(add, a)
	l.onEnvironments(add, a)
	onSchedules(add, a.settings.Schedules)

	if a.database != nil {
		add([]sm.Task{sm.Expand, sm.Contract, sm.Repair},
			allow([]string{"secretsmanager:GetSecretValue"}, a.database.secret))
	}

	return list
}

// adder gives statements to some of the steps.
type adder func(of []sm.Task, statements ...awsiam.PolicyStatement)

// onLockstep adds the permissions on Lockstep's own resources.
func (l *Lockstep) onLockstep(add adder, a application) {
	const begin, sync, deploy, rollback, repair = sm.Begin, sm.Sync, sm.Deploy, sm.Rollback, sm.Repair

	state, release := *a.buckets.state.BucketArn(), sm.ReleasesPrefix+"*"
	add(sm.Functions(),
		allow([]string{"s3:GetObject"}, state+"/"+sm.SettingsKey),
		allow([]string{"s3:GetObject", "s3:PutObject"}, state+"/ledger/*"),
		// Without it S3 answers 403 for a missing object.
		allow([]string{"s3:ListBucket"}, state),
		// A deleted object of the ledger is read from its previous version.
		allow([]string{"s3:GetObjectVersion"}, state+"/ledger/*"),
		allow([]string{"s3:ListBucketVersions"}, state),
	)
	bus := allow([]string{"events:PutEvents"}, arn("events", "event-bus/"+a.settings.Bus))
	add(sm.Functions(), when(bus, "StringEquals", "events:source", sm.Source))
	add([]sm.Task{begin, sync, sm.Expand, deploy, sm.Probe, sm.Contract, rollback, repair},
		allow([]string{"s3:GetObject"}, state+"/"+release))

	control := arn("ssm", "parameter"+sm.ControlParameter(l.config.App))
	add([]sm.Task{begin, repair}, allow([]string{"ssm:GetParameter"}, control))
	add([]sm.Task{begin, sm.Promote, rollback, repair}, allow([]string{"ssm:PutParameter"}, control))
	add([]sm.Task{begin, sm.Ramp, sm.Signal}, allow([]string{"ssm:GetParameter"},
		arn("ssm", "parameter"+sm.FreezeParameter(l.config.App))))

	if probe := l.config.Probe; probe != nil {
		add([]sm.Task{sm.Probe}, allow([]string{"lambda:InvokeFunction"},
			l.functionARN(config.Function{Existing: probe.Function})))
	}

	add([]sm.Task{begin, sm.Finish, sm.Ramp, sm.Signal, sm.Recover, repair},
		allow([]string{"states:SendTaskSuccess"}, l.machineARN()))
	add([]sm.Task{sm.Signal}, allow([]string{"states:SendTaskFailure"}, l.machineARN()))
	executions := arn("states", "execution:lockstep-"+l.config.App+":*")
	add([]sm.Task{sm.Recover}, allow([]string{"states:StartExecution"}, l.machineARN()),
		allow([]string{"states:DescribeExecution"}, executions))
	add([]sm.Task{repair}, allow([]string{"states:StartExecution", "states:ListExecutions"},
		l.machineARN()),
		allow([]string{"states:DescribeExecution", "states:StopExecution"}, executions))

	add([]sm.Task{begin, sm.CheckAlarms, sm.Drain}, allow([]string{"cloudwatch:DescribeAlarms"}, "*"))
	add([]sm.Task{sm.Ramp, sm.CheckAlarms, sm.Drain}, allow([]string{"cloudwatch:GetMetricData"}, "*"))
}

// onEnvironments adds the permissions on the environments and the route to them.
func (l *Lockstep) onEnvironments(add adder, a application) {
	const begin, sync, deploy, rollback, repair = sm.Begin, sm.Sync, sm.Deploy, sm.Rollback, sm.Repair

	for _, e := range sm.Environments() {
		site := *a.buckets.sites[e].BucketArn()
		add([]sm.Task{sync, deploy, rollback, repair},
			allow([]string{"s3:PutObject", "s3:DeleteObject"}, site+"/*"), allow([]string{"s3:ListBucket"},
				site))
		add([]sm.Task{rollback, repair}, allow([]string{"s3:GetObject"}, site+"/*"))
		add([]sm.Task{sm.Probe}, allow([]string{"s3:GetObject"}, site+"/*"),
			allow([]string{"s3:ListBucket"}, site))

		stage := stageARN(a.settings.API, e)
		add([]sm.Task{sync, deploy, rollback, repair}, allow([]string{"apigateway:PATCH"}, stage))
		add([]sm.Task{begin, repair}, allow([]string{"apigateway:GET"}, stage))
	}

	if lambdas := l.lambdaARNs(called); len(lambdas) > 0 {
		add([]sm.Task{sm.Promote}, allow([]string{"lambda:GetFunction", "lambda:GetAlias",
			"lambda:UpdateAlias"}, lambdas...))
	}

	if lambdas := l.lambdaARNs(every); len(lambdas) > 0 {
		add([]sm.Task{sync, rollback, repair}, allow([]string{"lambda:GetFunction", "lambda:GetAlias",
			"lambda:UpdateAlias"}, lambdas...))
		add([]sm.Task{deploy}, allow([]string{"lambda:GetFunction", "lambda:GetAlias",
			"lambda:UpdateAlias", "lambda:UpdateFunctionCode"}, lambdas...))
	}

	add([]sm.Task{begin}, l.readsRoute(a))
	add([]sm.Task{deploy, sm.Ramp, sm.Promote, rollback, repair}, l.writesRoute(a))
}

// onSchedules adds the permissions on the one-time schedules.
func onSchedules(add adder, s sm.Schedules) {
	schedules := arn("scheduler", "schedule/"+s.Group+"/*")
	pass := allow([]string{"iam:PassRole"}, s.Role)
	add([]sm.Task{sm.Begin, sm.Ramp, sm.Signal, sm.Recover},
		allow([]string{"scheduler:CreateSchedule", "scheduler:UpdateSchedule"}, schedules),
		when(pass, "StringEquals", "iam:PassedToService", "scheduler.amazonaws.com"))
	add([]sm.Task{
		sm.Begin, sm.Ramp, sm.Promote, sm.Signal, sm.Recover, sm.Rollback, sm.Finish, sm.Repair,
	}, allow([]string{"scheduler:DeleteSchedule"}, schedules))
	add([]sm.Task{sm.Recover, sm.Repair}, allow([]string{"scheduler:ListSchedules"}, "*"))
}

// writesRoute allows a change of the route, wherever the router reads it.
func (l *Lockstep) writesRoute(a application) awsiam.PolicyStatement {
	if l.config.Router == config.LambdaEdge {
		return allow([]string{"s3:GetObject", "s3:PutObject"}, a.routeObject())
	}

	return allow([]string{
		"cloudfront-keyvaluestore:DescribeKeyValueStore", "cloudfront-keyvaluestore:GetKey",
		"cloudfront-keyvaluestore:PutKey",
	}, a.settings.KeyValue)
}

// routeObject is the ARN of the route that Lambda@Edge reads.
func (a application) routeObject() string {
	return *a.buckets.state.BucketArn() + "/" + sm.RouteObject
}

func (l *Lockstep) readsRoute(a application) awsiam.PolicyStatement {
	if l.config.Router == config.LambdaEdge {
		return allow([]string{"s3:GetObject"}, a.routeObject())
	}

	return allow([]string{"cloudfront-keyvaluestore:GetKey"}, a.settings.KeyValue)
}

// machineARN is needed before the state machine exists: its Lambdas answer it, and it calls them.
func (l *Lockstep) machineARN() string { return arn("states", "stateMachine:"+l.config.Name()) }

func stageARN(api string, e sm.Environment) string {
	return "arn:" + *awscdk.Aws_PARTITION() + ":apigateway:" + *awscdk.Aws_REGION() +
		"::/restapis/" + api + "/stages/" + e.Stage()
}

// lambdaARNs are the application's functions with their versions and aliases. Those that Lockstep
// made are covered by the prefix of their names: a policy holds 10,240 characters, which 200 ARNs
// exceed.
func (l *Lockstep) lambdaARNs(which func(config.Function) bool) []string {
	var list []string

	made := false

	for _, f := range l.config.Functions {
		if !which(f) {
			continue
		}

		if f.Existing == "" {
			made = true
			continue
		}

		list = append(list, l.functionARN(f), l.functionARN(f)+":*")
	}

	if made {
		list = append(list, arn("lambda", "function:"+config.FunctionName(l.config.App, "*")))
	}

	return list
}

func every(config.Function) bool { return true }

// called tells whether events call a function.
func called(f config.Function) bool { return len(f.Events) > 0 }

// acceptWide says why a role's policy has resources with a wildcard.
func (l *Lockstep) acceptWide(role awsiam.Role, statements []awsiam.PolicyStatement) {
	reasons := map[string][]string{}

	for _, s := range statements {
		for _, resource := range *s.Resources() {
			finding, reason := l.wide(*resource, *(*s.Actions())[0])
			if finding != "" && !slices.Contains(reasons[finding], reason) {
				reasons[finding] = append(reasons[finding], reason)
			}
		}
	}

	for _, finding := range slices.Sorted(maps.Keys(reasons)) {
		accept(role, "AwsSolutions-IAM5", strings.Join(reasons[finding], " "), finding)
	}
}

// wide is cdk-nag's finding for a resource with a wildcard, and the reason for the wildcard; empty
// for any other resource.
func (l *Lockstep) wide(resource, action string) (finding, reason string) {
	has, ends := strings.Contains, strings.HasSuffix
	switch {
	case !ends(resource, "*"):
		return "", ""
	case resource == "*" && strings.HasPrefix(action, "ec2:"):
		return "Resource::*", "Lambda makes network interfaces, which have no names before."
	case resource == "*" && strings.Contains(action, ":List"):
		return "Resource::*", "Neither Scheduler nor DynamoDB offers anything narrower for a list."
	case resource == "*":
		return "Resource::*", "CloudWatch offers nothing narrower for GetMetricData, nor for " +
			"DescribeAlarms where composite alarms are asked for."
	case ends(resource, "/ledger/*"):
		return "/^Resource::<.*State.*>\\/ledger\\/\\*$/g", "The ledger has an object for each release."
	case ends(resource, "/"+sm.ReleasesPrefix+"*"):
		return "/^Resource::<.*State.*>\\/releases\\/\\*$/g", "Each release has objects of its own."
	case has(resource, ":function:"):
		return "/^Resource::arn:.*:function:.*\\*$/g", "A function's versions and aliases are " +
			"releases' to make; by prefix, since a policy has no room for 200 names."
	case has(resource, ":execution:"):
		return "/^Resource::arn:.*:execution:.*\\*$/g", "Each release has an execution of its own."
	case has(resource, ":schedule/"):
		return "/^Resource::arn:.*:schedule\\/.*\\*$/g", "Each bake has a schedule of its own."
	}

	return "/^Resource::<.*Site[AB].*>\\/\\*$/g", "A site has the files that it has."
}
