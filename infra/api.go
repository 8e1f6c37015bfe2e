package infra

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// newAPI makes the REST API with a stage per environment. Its routes are one OpenAPI body, which
// takes one resource of the stack however many there are. The body names the functions instead of
// referring to them, so that a new function needs no export of another stack.
func (l *Lockstep) newAPI() (api awsapigateway.CfnRestApi, stages []constructs.IDependable) {
	body := l.openAPI()

	api = awsapigateway.NewCfnRestApi(l.scope, jsii.String("Api"), &awsapigateway.CfnRestApiProps{
		Name: &l.config.App, Body: body, FailOnWarnings: true,
		Description: jsii.String("Each stage calls the functions by the alias that its stage " +
			"variable names."),
		EndpointConfiguration: &awsapigateway.CfnRestApi_EndpointConfigurationProperty{
			Types: jsii.Strings("REGIONAL"),
		},
	})
	accept(api, "AwsSolutions-APIG2",
		"The functions validate what they are sent: the API is a proxy for them.")

	if n := resources(l.routes()); n > resourceQuota {
		warning := fmt.Sprintf("lockstep.functions: found %d resources in their routes, expected at "+
			"most %d: for more, have the quota \"Resources per API\" of API Gateway raised before you "+
			"deploy", n, resourceQuota)
		awscdk.Annotations_Of(api).AddWarningV2(jsii.String("lockstep:resources"), &warning)
	}

	// A deployment is a snapshot of the body, so another body needs another deployment.
	snapshot, _ := json.Marshal(awscdk.Stack_Of(l.scope).Resolve(body))
	sum := sha256.Sum256(snapshot)
	deployment := awsapigateway.NewCfnDeployment(l.scope,
		jsii.String("ApiDeployment"+hex.EncodeToString(sum[:5])), &awsapigateway.CfnDeploymentProps{
			RestApiId: api.Ref(), Description: jsii.String("The routes of " + l.config.App + "."),
		})

	domain := l.newAPIDomain()

	for _, e := range sm.Environments() {
		stage := l.newStage(e, api, deployment)
		stages = append(stages, stage)

		if domain != nil {
			awsapigateway.NewCfnBasePathMapping(l.scope, jsii.String("ApiPath"+letter(e)),
				&awsapigateway.CfnBasePathMappingProps{
					DomainName: domain.Ref(), RestApiId: api.Ref(), Stage: stage.Ref(),
					BasePath: jsii.String(e.Stage()),
				})
		}
	}

	return api, stages
}

// newAPIDomain makes the API's own domain; nil for an application without one.
func (l *Lockstep) newAPIDomain() awsapigateway.CfnDomainName {
	d := l.config.Domains.API
	if d == nil {
		return nil
	}

	domain := awsapigateway.NewCfnDomainName(l.scope, jsii.String("ApiDomain"),
		&awsapigateway.CfnDomainNameProps{
			DomainName: &d.Name, RegionalCertificateArn: &d.Certificate,
			SecurityPolicy: jsii.String("TLS_1_2"),
			EndpointConfiguration: &awsapigateway.CfnDomainName_EndpointConfigurationProperty{
				Types: jsii.Strings("REGIONAL"),
			},
		})
	awscdk.NewCfnOutput(l.scope, jsii.String("ApiDomainTarget"), &awscdk.CfnOutputProps{
		Description: jsii.String("Point " + d.Name + " here."), Value: domain.AttrRegionalDomainName(),
	})

	return domain
}

// newStage makes an environment's stage without variables. The custom resource sets the first ones,
// and from then on they belong to the releases.
func (l *Lockstep) newStage(
	e sm.Environment, api awsapigateway.CfnRestApi, deployment awsapigateway.CfnDeployment,
) awsapigateway.CfnStage {
	stage := awsapigateway.NewCfnStage(l.scope, jsii.String("ApiStage"+letter(e)),
		&awsapigateway.CfnStageProps{
			RestApiId: api.Ref(), DeploymentId: deployment.Ref(), StageName: jsii.String(e.Stage()),
			Description: jsii.String("Environment " + string(e) + "."),
			MethodSettings: []any{&awsapigateway.CfnStage_MethodSettingProperty{
				HttpMethod: jsii.String("*"), ResourcePath: jsii.String("/*"), MetricsEnabled: true,
			}},
		})
	accept(stage, "AwsSolutions-APIG1", "It would need a role for the whole account, which other "+
		"stacks share; the distribution logs every request.")
	accept(stage, "AwsSolutions-APIG6", "It would need a role for the whole account, which other "+
		"stacks share; the functions log.")
	accept(stage, "AwsSolutions-APIG3", "The application decides whether it needs a firewall.")

	return stage
}

func apiHost(api awsapigateway.CfnRestApi) string {
	return *api.Ref() + ".execute-api." + *awscdk.Aws_REGION() + "." + *awscdk.Aws_URL_SUFFIX()
}

// resourceQuota is API Gateway's default quota of resources per API.
const resourceQuota = 300

// resources counts the resources of an API: one for each path and for each prefix of it.
func resources(routes map[string]string) int {
	paths := map[string]bool{}

	for path := range routes {
		for ; path != ""; path = path[:strings.LastIndex(path, "/")] {
			paths[path] = true
		}
	}

	return len(paths)
}

// routes maps each path to the name of its Lambda; "/orders" includes every path below it.
func (l *Lockstep) routes() map[string]string {
	routes := map[string]string{}

	for _, f := range l.config.Functions {
		for _, route := range f.Routes {
			routes[route] = l.config.Lambda(f)
			routes[route+"/{proxy+}"] = l.config.Lambda(f)
		}
	}

	return routes
}

func (l *Lockstep) openAPI() map[string]any {
	paths := map[string]any{}
	for path, lambda := range l.routes() {
		paths[path] = map[string]any{"x-amazon-apigateway-any-method": method(path, lambda)}
	}

	if len(paths) == 0 { // an API without a method cannot be deployed
		paths["/"] = map[string]any{"get": nothing()}
	}

	return map[string]any{
		"openapi": "3.0.1", "info": map[string]any{"title": l.config.App, "version": "1"}, "paths": paths,
	}
}

func method(path, lambda string) map[string]any {
	uri := "arn:" + *awscdk.Aws_PARTITION() + ":apigateway:" + *awscdk.Aws_REGION() +
		":lambda:path/2015-03-31/functions/" +
		arn("lambda", "function:"+lambda) + ":${stageVariables." + sm.StageVariableAlias + "}/invocations"

	m := map[string]any{
		"responses": map[string]any{}, // the function decides
		"x-amazon-apigateway-integration": map[string]any{
			"type": "aws_proxy", "httpMethod": "POST", "uri": uri, "passthroughBehavior": "when_no_match",
		},
	}
	if path[len(path)-1] == '}' {
		m["parameters"] = []any{map[string]any{"name": "proxy", "in": "path", "required": true,
			"schema": map[string]any{"type": "string"}}}
	}

	return m
}

func nothing() map[string]any {
	return map[string]any{
		"responses": map[string]any{"404": map[string]any{"description": "No function has a route."}},
		"x-amazon-apigateway-integration": map[string]any{
			"type": "mock", "requestTemplates": map[string]any{"application/json": `{"statusCode": 404}`},
			"responses": map[string]any{"default": map[string]any{"statusCode": "404"}},
		},
	}
}

// functionARN is the ARN of the Lambda behind a function of the application.
func (l *Lockstep) functionARN(f config.Function) string {
	return arn("lambda", "function:"+l.config.Lambda(f))
}
