package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// buckets makes the state bucket, a site bucket per environment, and one for their access logs.
// They have no names of their own: what is left behind on purpose must not be in the way of the
// next deployment.
func (l *Lockstep) buckets() {
	l.logs = awss3.NewBucket(l.scope, jsii.String("AccessLogs"), l.bucket(awss3.BucketProps{
		ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_PREFERRED, // CloudFront writes by ACL
		LifecycleRules:  &[]*awss3.LifecycleRule{{Expiration: awscdk.Duration_Days(jsii.Number(float64(l.config.LogDays)))}},
	}))
	l.state = awss3.NewBucket(l.scope, jsii.String("State"), l.bucket(awss3.BucketProps{
		Versioned: jsii.Bool(true), ServerAccessLogsBucket: l.logs, ServerAccessLogsPrefix: jsii.String("state/"),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		}},
	}))
	// Said in the template: CDK's own way adds a Lambda that may change every bucket's notifications.
	l.state.Node().DefaultChild().(awss3.CfnBucket).AddPropertyOverride(
		jsii.String("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"), true)
	l.settings.StateBucket = *l.state.BucketName()

	l.settings.SiteBuckets = map[sm.Environment]string{}
	for _, e := range sm.Environments() {
		l.sites[e] = awss3.NewBucket(l.scope, jsii.String("Site"+letter(e)), l.bucket(awss3.BucketProps{
			ServerAccessLogsBucket: l.logs, ServerAccessLogsPrefix: jsii.String("site-" + string(e) + "/"),
			Metrics: &[]*awss3.BucketMetrics{{Id: jsii.String(config.SiteMetrics)}},
		}))
		l.settings.SiteBuckets[e] = *l.sites[e].BucketName()
	}
}

// bucket is private, encrypted, reached by TLS only, and stays when the stack is destroyed.
func (l *Lockstep) bucket(p awss3.BucketProps) *awss3.BucketProps {
	p.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	p.Encryption = awss3.BucketEncryption_S3_MANAGED
	p.EnforceSSL = jsii.Bool(true)
	p.RemovalPolicy = awscdk.RemovalPolicy_RETAIN

	return &p
}
