package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/jsii-runtime-go"

	"lockstep/edge"
	sm "lockstep/statemachine"
)

// cloudFrontFunction is the site's behaviour where a CloudFront Function routes, and the ARN of
// the key-value store with the route. It adds a behaviour to others that no viewer requests,
// because the router can only select an origin that some behaviour has.
func (l *Lockstep) cloudFrontFunction(
	b buckets, others map[string]*awscloudfront.BehaviorOptions,
) (site *awscloudfront.BehaviorOptions, keyValue string) {
	store := awscloudfront.NewKeyValueStore(l.scope, jsii.String("Route"),
		&awscloudfront.KeyValueStoreProps{
			KeyValueStoreName: l.inRegion(),
			Comment: jsii.String("Which share of the viewers goes to which environment of " +
				l.config.App + "."),
		})

	code, err := edge.CloudFront(l.edgeOptions())
	if err != nil {
		panic(fmt.Sprintf("build the router: %v", err)) // the configuration was checked
	}

	router := awscloudfront.NewFunction(l.scope, jsii.String("Router"), &awscloudfront.FunctionProps{
		FunctionName: l.inRegion(), Code: awscloudfront.FunctionCode_FromInline(&code),
		Runtime: awscloudfront.FunctionRuntime_JS_2_0(), KeyValueStore: store,
		Comment: jsii.String("Routes documents by the viewer's bucket; all else follows its document."),
	})
	cache := l.siteCache()
	access := awscloudfront.NewS3OriginAccessControl(l.scope, jsii.String("SiteAccess"),
		&awscloudfront.S3OriginAccessControlProps{OriginAccessControlName: l.inRegion()})
	bucket := func(e sm.Environment) *awscloudfront.BehaviorOptions {
		return siteBehavior(awscloudfrontorigins.S3BucketOrigin_WithOriginAccessControl(b.sites[e],
			&awscloudfrontorigins.S3BucketOriginWithOACProps{
				OriginId: siteOrigin(e), OriginAccessControl: access,
			}), cache)
	}
	site = bucket(sm.A)
	site.FunctionAssociations = &[]*awscloudfront.FunctionAssociation{
		{EventType: awscloudfront.FunctionEventType_VIEWER_REQUEST, Function: router},
		{EventType: awscloudfront.FunctionEventType_VIEWER_RESPONSE, Function: router},
	}
	others["/.lockstep/site-b"] = bucket(sm.B)

	return site, *store.KeyValueStoreArn()
}
