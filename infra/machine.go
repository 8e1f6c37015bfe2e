package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	sm "lockstep/statemachine"
)

// newSchedules makes the group of the ramp's one-time schedules and returns the ARN of the role as
// which they answer the machine.
func (l *Lockstep) newSchedules() string {
	name := l.config.Name()
	awsscheduler.NewCfnScheduleGroup(l.scope, jsii.String("Schedules"),
		&awsscheduler.CfnScheduleGroupProps{Name: &name})
	group := arn("scheduler", "schedule-group/"+name)
	principal := awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"),
		&awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{
				"aws:SourceAccount": awscdk.Aws_ACCOUNT_ID(), "aws:SourceArn": group,
			}},
		})
	role := awsiam.NewRole(l.scope, jsii.String("SchedulerRole"), &awsiam.RoleProps{
		AssumedBy: principal, Description: jsii.String("The end of a bake, for " + l.config.App + "."),
		InlinePolicies: inline([]awsiam.PolicyStatement{allow([]string{"states:SendTaskSuccess"},
			l.machineARN())}),
	})

	return *role.RoleArn()
}

// newMachine makes the state machine. Its definition names the Lambdas by version. An execution
// keeps the definition that it began with, and so never mixes two versions of Lockstep.
func (l *Lockstep) newMachine(
	lambdas map[sm.Task]awslambda.Function,
) awsstepfunctions.IStateMachine {
	name := l.config.Name()
	log := l.logGroup(l.scope, "MachineLog", "/aws/vendedlogs/states/"+name)

	substitutions, callable := map[string]*string{}, []string{}
	for _, task := range sm.Tasks() {
		substitutions[string(task)] = lambdas[task].CurrentVersion().FunctionArn()
		callable = append(callable, *lambdas[task].FunctionArn()+":*")
	}

	role := awsiam.NewRole(l.scope, jsii.String("MachineRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		Description: jsii.String("The state machine of " + l.config.App + "."),
		InlinePolicies: inline([]awsiam.PolicyStatement{
			allow([]string{"lambda:InvokeFunction"}, callable...),
			allow([]string{
				"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery",
				"logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy",
				"logs:DescribeResourcePolicies", "logs:DescribeLogGroups", "xray:PutTraceSegments",
				"xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
			}, "*"),
		}),
	})
	accept(role, "AwsSolutions-IAM5", "A release under way calls the versions that it began with.",
		"/^Resource::<.*Function.*Arn>:\\*$/g")
	accept(role, "AwsSolutions-IAM5", "Neither the delivery of logs nor X-Ray knows resources.",
		"Resource::*")
	machine := awsstepfunctions.NewCfnStateMachine(l.scope, jsii.String("Machine"),
		&awsstepfunctions.CfnStateMachineProps{
			StateMachineName: &name, StateMachineType: jsii.String("STANDARD"), RoleArn: role.RoleArn(),
			DefinitionString: jsii.String(sm.Definition), DefinitionSubstitutions: substitutions,
			TracingConfiguration: &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{
				Enabled: true,
			},
			LoggingConfiguration: &awsstepfunctions.CfnStateMachine_LoggingConfigurationProperty{
				Level: jsii.String("ALL"), IncludeExecutionData: true,
				Destinations: []any{&awsstepfunctions.CfnStateMachine_LogDestinationProperty{
					CloudWatchLogsLogGroup: &awsstepfunctions.CfnStateMachine_CloudWatchLogsLogGroupProperty{
						LogGroupArn: log.LogGroupArn(),
					},
				}},
			},
		})
	id := jsii.String("Released")

	return awsstepfunctions.StateMachine_FromStateMachineArn(l.scope, id, machine.Ref())
}
