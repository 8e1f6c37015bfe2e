package infra

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront/experimental"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/edge"
	sm "lockstep/statemachine"
)

// edgeRegion is where functions of Lambda@Edge are made, wherever the application is.
const edgeRegion = "us-east-1"

// lambdaEdge is the site's behaviour where Lambda@Edge routes.
//
// Origin access control does not sign for an origin that a Lambda switched to, so one origin
// access identity reads both buckets. They form an origin group: for an object that the first does
// not have, CloudFront calls the Lambda again with the second.
//
// The function has no environment variables, and is deployed before the stack that it serves. So
// the Region and the access point of the route are written into its code. The access point has a
// name that is known in advance, which the bucket has not. The buckets' names reach the function
// with each request to an origin.
func (l *Lockstep) lambdaEdge(b buckets) *awscloudfront.BehaviorOptions {
	account, region := environmentOf(l.scope)
	function, role := l.edgeFunction(account, region)
	l.routeAccess(b.state, role, account, region)

	identity := awscloudfront.NewOriginAccessIdentity(l.scope, jsii.String("Identity"),
		&awscloudfront.OriginAccessIdentityProps{
			Comment: jsii.String("Reads both site buckets of " + l.config.App + "."),
		})

	names := map[string]*string{}
	for _, e := range sm.Environments() {
		names["x-lockstep-site-"+string(e)] = b.sites[e].BucketRegionalDomainName()
	}

	origin := func(e sm.Environment) awscloudfront.IOrigin {
		return awscloudfrontorigins.S3BucketOrigin_WithOriginAccessIdentity(b.sites[e],
			&awscloudfrontorigins.S3BucketOriginWithOAIProps{
				OriginId: siteOrigin(e), OriginAccessIdentity: identity, CustomHeaders: &names,
			})
	}
	site := siteBehavior(awscloudfrontorigins.NewOriginGroup(&awscloudfrontorigins.OriginGroupProps{
		PrimaryOrigin: origin(sm.A), FallbackOrigin: origin(sm.B),
		FallbackStatusCodes: &[]*float64{jsii.Number(403)},
	}), l.siteCache())
	site.OriginRequestPolicy = awscloudfront.NewOriginRequestPolicy(l.scope,
		jsii.String("SiteOrigins"), &awscloudfront.OriginRequestPolicyProps{
			OriginRequestPolicyName: l.inRegion(),
			Comment: jsii.String("Which bucket, or in which order, from viewer-request to " +
				"origin-request."),
			HeaderBehavior: awscloudfront.OriginRequestHeaderBehavior_AllowList(
				jsii.String("x-lockstep-origins")),
		})

	var edges []*awscloudfront.EdgeLambda
	for _, event := range []awscloudfront.LambdaEdgeEventType{
		awscloudfront.LambdaEdgeEventType_VIEWER_REQUEST,
		awscloudfront.LambdaEdgeEventType_ORIGIN_REQUEST,
		awscloudfront.LambdaEdgeEventType_VIEWER_RESPONSE,
	} {
		edges = append(edges, &awscloudfront.EdgeLambda{
			EventType: event, FunctionVersion: function.CurrentVersion(),
		})
	}

	site.EdgeLambdas = &edges

	return site
}

// edgeFunction makes the function, in a stack of its own if the application is not in us-east-1.
// The function and its versions are retained when the stack is deleted: AWS refuses to delete them
// for hours, until the replicas are gone.
func (l *Lockstep) edgeFunction(account, region string) (experimental.EdgeFunction, awsiam.Role) {
	name := edgeRole(l.config.App, region)

	scope, stackID := l.scope, name // the Region in the id keeps the stacks of two Regions apart
	if region != edgeRegion {
		scope = awscdk.NewStack(awscdk.Stage_Of(l.scope), &stackID, &awscdk.StackProps{
			Env:         &awscdk.Environment{Account: &account, Region: jsii.String(edgeRegion)},
			Description: jsii.String("The router of " + l.config.App + " at the edge."),
		})
	}

	role := awsiam.NewRole(scope, jsii.String("EdgeRole"), &awsiam.RoleProps{
		RoleName: &name, Description: jsii.String("The router of " + l.config.App + " at the edge."),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"Router": awsiam.NewPolicyDocument(
			&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
				allow([]string{"s3:GetObject"},
					accessPoint(l.config.App, account, region)+"/object/"+sm.RouteObject),
				// Each Region where a viewer is served has a log group.
				allow([]string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"},
					"arn:aws:logs:*:"+account+":log-group:/aws/lambda/"+edgeRegion+".*"),
			}})},
	})
	accept(role, "AwsSolutions-IAM5", "The function is logged in each Region where it runs, under a "+
		"name that CloudFormation gives it.", "/^Resource::arn:aws:logs:.*/g")
	function := experimental.NewEdgeFunction(l.scope, jsii.String("Edge"),
		&experimental.EdgeFunctionProps{
			StackId:     &stackID,
			Description: jsii.String("Lockstep: routes the viewers of " + l.config.App + "."),
			Runtime:     awslambda.Runtime_NODEJS_24_X(), Handler: jsii.String("index.serve"), Role: role,
			Code: awslambda.Code_FromAsset(jsii.String(l.edgeCode(account, region)),
				&awss3assets.AssetOptions{}),
			// what a viewer's event may have
			MemorySize: jsii.Number(128), Timeout: awscdk.Duration_Seconds(jsii.Number(5)),
			CurrentVersionOptions: &awslambda.VersionOptions{RemovalPolicy: awscdk.RemovalPolicy_RETAIN},
		})
	function.Lambda().ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN)
	withoutDependsOn(function.Lambda().Node().DefaultChild())

	if region != edgeRegion {
		l.acceptReader()
	}

	return function, role
}

// acceptReader says why cdk-nag's rules do not hold for the Lambda with which CDK reads the ARN of
// the function from another Region.
func (l *Lockstep) acceptReader() {
	const (
		id     = "Custom::CrossRegionStringParameterReaderCustomResourceProvider"
		reason = "CDK's own reader of the function's ARN, which lies in another Region."
	)

	reader := awscdk.Stack_Of(l.scope).Node().TryFindChild(jsii.String(id))
	withoutDependsOn(reader.Node().FindChild(jsii.String("Handler")))
	accept(reader, "AwsSolutions-IAM4", reason)
	accept(reader, "AwsSolutions-IAM5", reason)
	accept(reader, "AwsSolutions-L1",
		"CDK's own reader of the function's ARN: its runtime is CDK's to choose.")
}

// edgeCode is the folder of the function's code.
func (l *Lockstep) edgeCode(account, region string) string {
	module, err := edge.LambdaEdge(l.edgeOptions(), region, accessPoint(l.config.App, account, region))
	if err != nil {
		panic(fmt.Sprintf("build the router: %v", err)) // the configuration was checked
	}

	dir := filepath.Join(l.code.dir, "edge", l.config.App)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(fmt.Sprintf("make a folder for the router: %v", err))
	}

	if err := os.WriteFile(filepath.Join(dir, "index.mjs"), []byte(module), 0o644); err != nil {
		panic(fmt.Sprintf("write the router: %v", err))
	}

	return dir
}

// routeAccess makes the access point through which the function reads the route, and allows it that
// one object.
func (l *Lockstep) routeAccess(state awss3.Bucket, role awsiam.Role, account, region string) {
	awss3.NewCfnAccessPoint(l.scope, jsii.String("RouteAccess"), &awss3.CfnAccessPointProps{
		Name: jsii.String(l.config.Name()), Bucket: state.BucketName(),
		PublicAccessBlockConfiguration: &awss3.CfnAccessPoint_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true,
			RestrictPublicBuckets: true,
		},
	})
	reads := allow([]string{"s3:GetObject"}, *state.BucketArn()+"/"+sm.RouteObject)
	// By its ARN: the role is in the stack of the function, which is deployed before this one.
	reads.AddArnPrincipal(
		jsii.String("arn:aws:iam::" + account + ":role/" + edgeRole(l.config.App, region)))
	state.AddToResourcePolicy(reads)

	if *awscdk.Stack_Of(role).Node().Addr() == *awscdk.Stack_Of(l.scope).Node().Addr() {
		state.Policy().Node().AddDependency(role) // S3 refuses a policy for a role that does not exist
	}
}

// edgeRole is the name of the function's role. It contains the Region, because a role belongs to
// all Regions of an account.
func edgeRole(app, region string) string { return "lockstep-" + app + "-edge-" + region }

// accessPoint is the ARN of the access point.
func accessPoint(app, account, region string) string {
	return "arn:aws:s3:" + region + ":" + account + ":accesspoint/lockstep-" + app
}

// environmentOf is the account and the Region of a stack, which Lambda@Edge's code contains.
func environmentOf(scope constructs.Construct) (account, region string) {
	stack := awscdk.Stack_Of(scope)
	if err := LambdaEdgeIn(*stack.Account(), *stack.Region()); err != nil {
		panic(err.Error())
	}

	return *stack.Account(), *stack.Region()
}

// LambdaEdgeIn tells whether Lambda@Edge can route for a stack in an account and a Region.
func LambdaEdgeIn(account, region string) error {
	if account == "" || region == "" || *awscdk.Token_IsUnresolved(account) ||
		*awscdk.Token_IsUnresolved(region) {
		return errors.New("lockstep.router: found \"lambda-edge\" in a stack for any account and " +
			"Region, expected a stack whose Env has both, since they are written into the function's " +
			"code; set credentials and AWS_REGION, and cdk finds them")
	}

	if !identities[region] {
		return fmt.Errorf("lockstep.router: found \"lambda-edge\" in %s, where origin access "+
			"identities do not work, expected \"cloudfront-function\" or a Region from before 2023", region)
	}

	return nil
}

// identities are the Regions where origin access identities work: those from before 2023.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/doc-history.html
var identities = map[string]bool{
	"us-east-1": true, "us-east-2": true, "us-west-1": true, "us-west-2": true,
	"ca-central-1": true, "sa-east-1": true,
	"eu-west-1": true, "eu-west-2": true, "eu-west-3": true, "eu-central-1": true,
	"eu-central-2": true, "eu-north-1": true, "eu-south-1": true, "eu-south-2": true,
	"me-south-1": true, "me-central-1": true, "af-south-1": true,
	"ap-south-1": true, "ap-south-2": true, "ap-southeast-1": true, "ap-southeast-2": true,
	"ap-southeast-3": true, "ap-northeast-1": true, "ap-northeast-2": true, "ap-northeast-3": true,
	"ap-east-1": true,
}
