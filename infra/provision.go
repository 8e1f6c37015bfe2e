package infra

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	sm "lockstep/statemachine"
)

// provision makes what the releases will own, where it is missing, and writes settings.json: the
// one custom resource. Its property is the settings, so it runs again when they change, and only
// then.
func (l *Lockstep) provision(functions []awscdk.NestedStack) awscdk.CustomResource {
	scope := constructs.NewConstruct(l.scope, jsii.String("Provision"))
	name := "lockstep-" + l.config.App + "-provision"
	log := l.logGroup(scope, "Log", "/aws/lambda/"+name)

	statements := []awsiam.PolicyStatement{
		writesLog(log),
		allow([]string{"s3:PutObject"}, *l.state.BucketArn()+"/"+sm.SettingsKey),
		allow([]string{"s3:GetObject"}, *l.state.BucketArn()+"/"+sm.LockKey),
		// without it S3 does not say that the lock is missing
		allow([]string{"s3:ListBucket"}, *l.state.BucketArn()),
		allow([]string{"ssm:GetParameter", "ssm:PutParameter"},
			arn("ssm", "parameter"+sm.ControlParameter(l.config.App))),
		allow([]string{"ssm:PutParameter"}, arn("ssm", "parameter"+sm.FreezeParameter(l.config.App))),
		l.writesRoute(),
		allow([]string{"apigateway:GET", "apigateway:PATCH"}, l.stageARN(sm.A), l.stageARN(sm.B)),
	}
	if lambdas := l.lambdaARNs(every); len(lambdas) > 0 {
		statements = append(statements, allow([]string{"lambda:GetAlias", "lambda:CreateAlias",
			"lambda:PublishVersion", "lambda:AddPermission"}, lambdas...))
	}

	role := lambdaRole(scope, "What comes before the first release of "+l.config.App+".", statements)
	l.acceptWide(role, statements)
	function := awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName: &name, Description: jsii.String("Makes what releases will own, where it is missing."),
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String("bootstrap"),
		Code: l.code.of(provisioner), Role: role, LogGroup: log,
		MemorySize: jsii.Number(256), Timeout: awscdk.Duration_Minutes(jsii.Number(15)),
	})
	function.Node().DefaultChild().(awslambda.CfnFunction).AddDeletionOverride(jsii.String("DependsOn"))

	first := awscdk.NewCustomResource(scope, jsii.String("First"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::Lockstep"), ServiceToken: function.FunctionArn(),
		Properties: &map[string]any{
			"Settings": awscdk.Stack_Of(l.scope).ToJsonString(l.properties(), nil),
			// Who may call the functions: the stages of this API.
			"Caller": arn("execute-api", l.settings.API+"/api-*"),
		},
	})
	for _, stack := range functions {
		first.Node().AddDependency(stack)
	}

	for _, e := range sm.Environments() {
		first.Node().AddDependency(l.scope.Node().FindChild(jsii.String("ApiStage" + letter(e))))
	}

	return first
}

// properties are the settings as plain values: CDK looks for its tokens in no Go type of ours.
func (l *Lockstep) properties() map[string]any {
	var plain map[string]any
	if err := json.Unmarshal(l.settings.JSON(), &plain); err != nil {
		panic(err) // settings are JSON by their definition
	}

	return plain
}
