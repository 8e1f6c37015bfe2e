// Package infra deploys Lockstep to AWS. NewLockstep is a construct for any CDK app; the app of
// this repository, infra/app, is one around it.
//
// Nothing that a release moves is in the template. The custom resource (infra/customresource)
// creates versions, aliases, the stages' variables, the route and the control parameter where they
// are missing; from then on they belong to the releases. So no later deployment of the template
// can move traffic.
package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// Props are the properties of the construct.
type Props struct {
	// Config describes the application.
	Config config.Config
	// Code is the code of Lockstep's Lambdas, as Build compiles it.
	Code Code
}

// Lockstep is the construct: an application's resources and Lockstep's own.
type Lockstep struct {
	// Roles are the roles of the application's functions, by the functions' names. Grant them what the
	// functions need. Adopted functions are not among them.
	Roles map[string]awsiam.Role
	// Topic gets the transitions of releases that people are told about.
	Topic awssns.Topic

	scope  constructs.Construct
	config config.Config
	code   Code
}

// application is the application's resources, on which Lockstep's Lambdas work.
type application struct {
	settings sm.Settings
	buckets  buckets
	database *database // nil where there is none
}

// NewLockstep adds an application and its Lockstep to the scope's stack. It panics, as constructs
// do, if the stack's account and Region are known and the configuration names resources that
// cannot be used from there.
func NewLockstep(scope constructs.Construct, id string, props Props) *Lockstep {
	at := awscdk.Stack_Of(scope)
	if !*awscdk.Token_IsUnresolved(at.Account()) && !*awscdk.Token_IsUnresolved(at.Region()) {
		if err := props.Config.In(*at.Account(), *at.Region()); err != nil {
			panic(err.Error())
		}
	}

	l := &Lockstep{
		scope: constructs.NewConstruct(scope, jsii.String(id)), config: props.Config, code: props.Code,
	}
	// Access logs are allowed by the bucket's policy, not by its ACL, in any app.
	l.scope.Node().SetContext(jsii.String("@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy"), true)

	buckets, database, scheduler := l.newBuckets(), l.newDatabase(), l.newSchedules()
	api, stages := l.newAPI()
	site := l.newDistribution(buckets, api)
	settings := l.config.Settings(config.Places{
		StateBucket: *buckets.state.BucketName(), SiteBuckets: buckets.siteNames(), SiteURL: site.url,
		API: *api.Ref(), KeyValue: site.keyValue, Machine: l.machineARN(), SchedulerRole: scheduler,
		Secret: database.secretARN(),
	})
	a := application{settings, buckets, database}

	l.Topic = l.notifications()
	l.alarms(settings.SiteBuckets)
	l.dashboard()
	l.continuousIntegration(buckets.state)

	lambdas := l.steps(a)
	l.rules(settings, l.newMachine(lambdas), lambdas)
	roles, functions := l.functions(database)
	l.Roles = roles
	l.events(l.provision(a, functions, stages))
	l.undeliveredAlarm(settings)
	l.outputs(settings, site)

	return l
}

// outputs are what a person needs after the deployment.
func (l *Lockstep) outputs(s sm.Settings, at site) {
	say := func(id, description, value string) {
		awscdk.NewCfnOutput(l.scope, jsii.String(id),
			&awscdk.CfnOutputProps{Description: &description, Value: &value})
	}
	say("Site", "Where viewers go.", s.SiteURL)

	if d := l.config.Domains.Site; d != nil {
		say("SiteDomainTarget", "Point "+d.Name+" here.", at.domain)
	}

	for _, e := range sm.Environments() {
		say("Api"+letter(e), "The API of environment "+string(e)+".", s.SiteURL+"/"+e.Stage())

		if d := l.config.Domains.API; d != nil {
			url := "https://" + d.Name + "/" + e.Stage()
			say("ApiDomain"+letter(e), "The same under the API's own domain.", url)
		}
	}

	region := *awscdk.Aws_REGION()
	say("Console", "The releases in the console.", fmt.Sprintf(
		"https://%s.console.aws.amazon.com/states/home?region=%s#/statemachines/view/%s",
		region, region, s.Machine))
	say("Release", "How to release what a folder holds.",
		"LOCKSTEP_STATE_BUCKET="+s.StateBucket+" lockstep release DIR")
}

// inRegion is the name of resources that an account has once for all Regions: CloudFront's, and
// dashboards.
func (l *Lockstep) inRegion() *string {
	return jsii.String(l.config.Name() + "-" + *awscdk.Stack_Of(l.scope).Region())
}

// letter is an environment in the id of a construct.
func letter(e sm.Environment) string { return map[sm.Environment]string{sm.A: "A", sm.B: "B"}[e] }

// arn is the ARN of a resource in this account and Region.
func arn(service, resource string) string {
	return "arn:" + *awscdk.Aws_PARTITION() + ":" + service + ":" + *awscdk.Aws_REGION() + ":" +
		*awscdk.Aws_ACCOUNT_ID() + ":" + resource
}
