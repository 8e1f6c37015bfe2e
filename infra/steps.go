package infra

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// steps makes Lockstep's Lambdas. Each publishes a version with every change of its code or
// configuration. Old versions are retained: a release under way keeps those that it began with.
func (l *Lockstep) steps(a application) map[sm.Task]awslambda.Function {
	// A rule's own queue does not help once Lambda has accepted the event. Without this queue, an
	// event at which the function fails three times would be lost.
	failed := l.deadLetters("Failed", failedName(l.config.App))
	lambdas := map[sm.Task]awslambda.Function{}

	for _, task := range sm.Functions() {
		scope := constructs.NewConstruct(l.scope, jsii.String(string(task)))
		name := config.LambdaName(l.config.App, task)
		log := l.logGroup(scope, "Log", "/aws/lambda/"+name)
		statements := append([]awsiam.PolicyStatement{writesLog(log)}, l.permissions(task, a)...)
		environment := map[string]*string{sm.StateBucketVariable: &a.settings.StateBucket}

		inside := a.database != nil && (task == sm.Expand || task == sm.Contract || task == sm.Repair)
		if inside {
			statements = append(statements, inVPC())
		}

		rulesCall := task == sm.Signal || task == sm.Recover
		if rulesCall {
			statements = append(statements, allow([]string{"sqs:SendMessage"}, *failed.QueueArn()))
		}

		role := lambdaRole(scope, "Lockstep's "+string(task)+" for "+l.config.App+".", statements)
		l.acceptWide(role, statements)
		function := awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
			FunctionName: &name, Description: jsii.String("Lockstep: " + string(task) + "."),
			Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
			Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String("bootstrap"),
			Code: l.code.of(strings.ToLower(string(task))), Role: role, LogGroup: log,
			Environment: &environment, MemorySize: jsii.Number(float64(l.config.StepMemory(task))),
			Timeout:               awscdk.Duration_Seconds(jsii.Number(config.StepTimeout.Seconds())),
			CurrentVersionOptions: &awslambda.VersionOptions{RemovalPolicy: awscdk.RemovalPolicy_RETAIN},
		})
		cfn := function.Node().DefaultChild().(awslambda.CfnFunction)
		withoutDependsOn(cfn)

		if rulesCall {
			cfn.SetDeadLetterConfig(
				&awslambda.CfnFunction_DeadLetterConfigProperty{TargetArn: failed.QueueArn()})
		}

		if inside {
			cfn.SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
				SubnetIds: &a.database.subnets, SecurityGroupIds: &a.database.securityGroups,
			})
		}

		lambdas[task] = function
	}

	return lambdas
}

// withoutDependsOn removes the dependencies that CDK adds to a function: they are its role and its
// policy, which the function refers to anyway.
func withoutDependsOn(function constructs.IConstruct) {
	function.(awscdk.CfnResource).AddDeletionOverride(jsii.String("DependsOn"))
}
