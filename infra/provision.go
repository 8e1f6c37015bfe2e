package infra

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// provision is the custom resource, which creates what the releases will own, where it is missing,
// and writes settings.json. The settings are its property, so it runs again when they change, and
// only then. It runs after the functions and the stages that it prepares are deployed.
func (l *Lockstep) provision(
	a application, functions, stages []constructs.IDependable,
) awscdk.CustomResource {
	scope := constructs.NewConstruct(l.scope, jsii.String("Provision"))
	name := l.config.Name() + "-provision"
	state := *a.buckets.state.BucketArn()
	log := l.logGroup(scope, "Log", "/aws/lambda/"+name)

	statements := []awsiam.PolicyStatement{
		writesLog(log),
		allow([]string{"s3:PutObject"}, state+"/"+sm.SettingsKey),
		allow([]string{"s3:GetObject"}, state+"/"+sm.LockKey),
		allow([]string{"s3:ListBucket"}, state), // without it S3 answers 403 for a missing lock
		allow([]string{"ssm:GetParameter", "ssm:PutParameter"},
			arn("ssm", "parameter"+sm.ControlParameter(l.config.App))),
		allow([]string{"ssm:PutParameter"}, arn("ssm", "parameter"+sm.FreezeParameter(l.config.App))),
		l.writesRoute(a),
		allow([]string{"apigateway:GET", "apigateway:PATCH"},
			stageARN(a.settings.API, sm.A), stageARN(a.settings.API, sm.B)),
	}
	if lambdas := l.lambdaARNs(every); len(lambdas) > 0 {
		statements = append(statements, allow([]string{"lambda:GetAlias", "lambda:CreateAlias",
			"lambda:PublishVersion", "lambda:AddPermission"}, lambdas...))
	}

	role := lambdaRole(scope, "What comes before the first release of "+l.config.App+".", statements)
	l.acceptWide(role, statements)
	function := awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName: &name,
		Description:  jsii.String("Makes what releases will own, where it is missing."),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String("bootstrap"),
		Code: l.code.of(provisioner), Role: role, LogGroup: log,
		MemorySize: jsii.Number(256), Timeout: awscdk.Duration_Minutes(jsii.Number(15)),
	})
	withoutDependsOn(function.Node().DefaultChild())

	first := awscdk.NewCustomResource(scope, jsii.String("First"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::Lockstep"), ServiceToken: function.FunctionArn(),
		Properties: &map[string]any{
			"Settings": awscdk.Stack_Of(l.scope).ToJsonString(properties(a.settings), nil),
			// Who may call the functions: the stages of this API.
			"Caller": arn("execute-api", config.StagesOf(a.settings.API)),
		},
	})
	first.Node().AddDependency(functions...)
	first.Node().AddDependency(stages...)

	return first
}

// properties are the settings as plain values, because CDK finds its tokens only in those.
func properties(s sm.Settings) map[string]any {
	var plain map[string]any
	if err := json.Unmarshal(s.JSON(), &plain); err != nil {
		panic(err) // settings are JSON by their definition
	}

	return plain
}
