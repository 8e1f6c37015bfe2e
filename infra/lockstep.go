// Package infra stands Lockstep up on AWS. NewLockstep is a construct for any CDK app; the app of
// this repository, infra/app, is one around it.
//
// Whatever a release moves is not in the template: versions, aliases, the stages' variables, the
// route and the control parameter are made by the custom resource (infra/provision) where they are
// missing, and from then on belong to the releases. So no later deployment of the template can
// move traffic.
package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// Props say which application it is for.
type Props struct {
	Config config.Config
	// Code is that of Lockstep's Lambdas; Build compiles it.
	Code Code
}

// Lockstep is what stands: the application's side and Lockstep's.
type Lockstep struct {
	// Roles are those of the application's functions by name; grant them what the functions need.
	Roles map[string]awsiam.Role
	// Topic hears of every transition of a release.
	Topic awssns.Topic

	scope    constructs.Construct
	config   config.Config
	code     Code
	settings sm.Settings

	logs         awss3.Bucket
	state        awss3.Bucket
	sites        map[sm.Environment]awss3.Bucket
	siteCache    awscloudfront.CachePolicy
	distribution awscloudfront.Distribution
	api          awsapigateway.CfnRestApi
	database     *database
	machine      awsstepfunctions.IStateMachine
	lambdas      map[sm.Task]awslambda.Function
	scheduler    awsiam.Role
	undelivered  []string // names of queues for what reached nobody
}

// NewLockstep stands an application and its Lockstep up in the scope's stack. It panics, as
// constructs do, where the stack's account and Region are known and the configuration names what
// they cannot reach.
func NewLockstep(scope constructs.Construct, id string, props Props) *Lockstep {
	at := awscdk.Stack_Of(scope)
	if !*awscdk.Token_IsUnresolved(at.Account()) && !*awscdk.Token_IsUnresolved(at.Region()) {
		if err := props.Config.In(*at.Account(), *at.Region()); err != nil {
			panic(err.Error())
		}
	}

	l := &Lockstep{
		scope: constructs.NewConstruct(scope, jsii.String(id)), Roles: map[string]awsiam.Role{},
		config: props.Config, code: props.Code, settings: props.Config.Settings(),
		sites: map[sm.Environment]awss3.Bucket{}, lambdas: map[sm.Task]awslambda.Function{},
	}
	// Access logs come by the bucket's policy, not by its list, wherever the construct stands.
	l.scope.Node().SetContext(jsii.String("@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy"), true)
	l.buckets()
	l.newDatabase()
	l.newAPI()
	l.newDistribution()
	l.schedules()
	stacks := l.functions()
	l.steps()
	l.newMachine()
	l.rules()
	l.notifications()
	l.alarms()
	l.dashboard()
	l.continuousIntegration()
	l.events(l.provision(stacks))
	l.undeliveredAlarm()
	l.outputs()

	return l
}

// outputs are what a person needs next.
func (l *Lockstep) outputs() {
	say := func(id, description string, value string) {
		awscdk.NewCfnOutput(l.scope, jsii.String(id),
			&awscdk.CfnOutputProps{Description: &description, Value: &value})
	}
	say("Site", "Where viewers go.", l.settings.SiteURL)

	if d := l.config.Domains.Site; d != nil {
		say("SiteDomainTarget", "Point "+d.Name+" here.", *l.distribution.DistributionDomainName())
	}

	for _, e := range sm.Environments() {
		say("Api"+letter(e), "The API of environment "+string(e)+".", l.settings.SiteURL+"/"+e.Stage())

		if d := l.config.Domains.API; d != nil {
			say("ApiDomain"+letter(e), "The same under the API's own domain.", "https://"+d.Name+"/"+
				e.Stage())
		}
	}

	say("Console", "The releases in the console.",
		fmt.Sprintf("https://%s.console.aws.amazon.com/states/home?region=%s#/statemachines/view/%s",
			*awscdk.Aws_REGION(), *awscdk.Aws_REGION(), l.settings.Machine))
	say("Release", "How to release what a folder holds.", "LOCKSTEP_STATE_BUCKET="+
		*l.state.BucketName()+" lockstep release DIR")
}

// inRegion is the name of what the account has once in all Regions: CloudFront's, and dashboards.
func (l *Lockstep) inRegion() *string {
	return jsii.String("lockstep-" + l.config.App + "-" + *awscdk.Stack_Of(l.scope).Region())
}

// letter is an environment as ids of constructs have it.
func letter(e sm.Environment) string { return map[sm.Environment]string{sm.A: "A", sm.B: "B"}[e] }

// arn is the ARN of something in this account and Region.
func arn(service, resource string) string {
	return "arn:" + *awscdk.Aws_PARTITION() + ":" + service + ":" + *awscdk.Aws_REGION() + ":" +
		*awscdk.Aws_ACCOUNT_ID() + ":" + resource
}
