package infra

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// Workflow is a GitHub workflow to copy. It builds and releases with the role of the output
// ReleaseRoleArn.
//
//go:embed release.yml
var Workflow string

const tokens = "token.actions.githubusercontent.com"

// continuousIntegration makes the role that the workflows of one branch assume, without any stored
// key. It may upload a bundle and put one kind of event.
func (l *Lockstep) continuousIntegration(bucket awss3.Bucket) {
	g := l.config.GitHub
	if g == nil {
		return
	}

	provider := g.Provider
	if provider == "" {
		provider = *awsiam.NewCfnOIDCProvider(l.scope, jsii.String("GitHub"),
			&awsiam.CfnOIDCProviderProps{
				Url: jsii.String("https://" + tokens), ClientIdList: jsii.Strings("sts.amazonaws.com"),
			}).AttrArn()
	}

	state := *bucket.BucketArn()
	bus := allow([]string{"events:PutEvents"}, arn("events", "event-bus/"+config.DefaultBus))
	when(bus, "StringEquals", "events:source", sm.SourceCI)
	when(bus, "StringEquals", "events:detail-type", sm.DetailMerge)
	role := awsiam.NewRole(l.scope, jsii.String("ReleaseRole"), &awsiam.RoleProps{
		Description: jsii.String("The workflows of " + g.Repository + " on " + g.Branch + "."),
		AssumedBy: awsiam.NewWebIdentityPrincipal(&provider, &map[string]any{
			"StringEquals": map[string]any{
				tokens + ":aud": "sts.amazonaws.com",
				tokens + ":sub": "repo:" + g.Repository + ":ref:refs/heads/" + g.Branch,
			},
		}),
		InlinePolicies: inline([]awsiam.PolicyStatement{
			allow([]string{"s3:GetObject", "s3:PutObject"}, state+"/"+sm.ReleasesPrefix+"*"),
			allow([]string{"s3:GetObject"}, state+"/"+sm.SettingsKey, state+"/"+sm.RecordsPrefix+"*",
				state+"/"+sm.LockKey),
			allow([]string{"s3:ListBucket"}, state),
			bus,
		}),
	})
	accept(role, "AwsSolutions-IAM5", "Each release has objects of its own, and a record.",
		"/^Resource::.*releases\\/\\*$/g")
	awscdk.NewCfnOutput(l.scope, jsii.String("ReleaseRoleArn"), &awscdk.CfnOutputProps{
		Description: jsii.String("The role that the workflow release.yml assumes."),
		Value:       role.RoleArn(),
	})
	awscdk.NewCfnOutput(l.scope, jsii.String("StateBucket"), &awscdk.CfnOutputProps{
		Description: jsii.String("The bucket that the workflow release.yml uploads to."),
		Value:       bucket.BucketName(),
	})
}
