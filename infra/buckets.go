package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// buckets are the state bucket, a site bucket per environment, and one for the access logs of both.
type buckets struct {
	state, logs awss3.Bucket
	sites       map[sm.Environment]awss3.Bucket
}

// siteNames are the names of the site buckets.
func (b buckets) siteNames() map[sm.Environment]string {
	names := map[sm.Environment]string{}
	for e, bucket := range b.sites {
		names[e] = *bucket.BucketName()
	}

	return names
}

// newBuckets makes the buckets. CloudFormation chooses their names: the buckets are retained when a
// stack is deleted, and fixed names would collide in the next deployment.
func (l *Lockstep) newBuckets() buckets {
	days := awscdk.Duration_Days(jsii.Number(float64(l.config.LogDays)))
	logs := awss3.NewBucket(l.scope, jsii.String("AccessLogs"), private(awss3.BucketProps{
		ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_PREFERRED, // CloudFront writes by ACL
		LifecycleRules:  &[]*awss3.LifecycleRule{{Expiration: days}},
	}))
	state := awss3.NewBucket(l.scope, jsii.String("State"), private(awss3.BucketProps{
		Versioned:              jsii.Bool(true),
		ServerAccessLogsBucket: logs, ServerAccessLogsPrefix: jsii.String("state/"),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		}},
	}))
	// By an override, because CDK's own way adds a Lambda that may change every bucket's
	// notifications.
	state.Node().DefaultChild().(awss3.CfnBucket).AddPropertyOverride(
		jsii.String("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"), true)

	sites := map[sm.Environment]awss3.Bucket{}

	for _, e := range sm.Environments() {
		prefix := jsii.String("site-" + string(e) + "/")
		sites[e] = awss3.NewBucket(l.scope, jsii.String("Site"+letter(e)), private(awss3.BucketProps{
			ServerAccessLogsBucket: logs, ServerAccessLogsPrefix: prefix,
			Metrics: &[]*awss3.BucketMetrics{{Id: jsii.String(config.SiteMetrics)}},
		}))
	}

	return buckets{state, logs, sites}
}

// private completes the properties of a bucket that is encrypted, reachable over TLS only, and
// retained when the stack is deleted.
func private(p awss3.BucketProps) *awss3.BucketProps {
	p.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	p.Encryption = awss3.BucketEncryption_S3_MANAGED
	p.EnforceSSL = jsii.Bool(true)
	p.RemovalPolicy = awscdk.RemovalPolicy_RETAIN

	return &p
}
