package infra

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/jsii-runtime-go"

	"lockstep/edge"
	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// environmentHeader is what the router puts on a request, so that the cache keeps the environments
// apart.
const environmentHeader = "x-lockstep-env"

// site is where viewers go.
type site struct {
	url      string
	domain   string // of the distribution
	keyValue string // ARN of the store of the route; empty where Lambda@Edge routes
}

// newDistribution makes what viewers meet first: the site, routed at the edge, and the API below
// it, where nothing is cross-origin.
func (l *Lockstep) newDistribution(b buckets, api awsapigateway.CfnRestApi) (made site) {
	var behavior *awscloudfront.BehaviorOptions

	others := map[string]*awscloudfront.BehaviorOptions{}

	if l.config.Router == config.LambdaEdge {
		behavior = l.lambdaEdge(b)
	} else {
		behavior, made.keyValue = l.cloudFrontFunction(b, others)
	}

	host := apiHost(api)

	stages := awscloudfrontorigins.NewHttpOrigin(&host, &awscloudfrontorigins.HttpOriginProps{
		OriginId: jsii.String("api"), ProtocolPolicy: awscloudfront.OriginProtocolPolicy_HTTPS_ONLY,
		OriginSslProtocols: &[]awscloudfront.OriginSslPolicy{awscloudfront.OriginSslPolicy_TLS_V1_2},
	})
	for _, e := range sm.Environments() {
		others["/"+e.Stage()+"/*"] = &awscloudfront.BehaviorOptions{
			Origin: stages, AllowedMethods: awscloudfront.AllowedMethods_ALLOW_ALL(),
			CachePolicy:          awscloudfront.CachePolicy_CACHING_DISABLED(),
			OriginRequestPolicy:  awscloudfront.OriginRequestPolicy_ALL_VIEWER_EXCEPT_HOST_HEADER(),
			ViewerProtocolPolicy: awscloudfront.ViewerProtocolPolicy_HTTPS_ONLY,
		}
	}

	props := &awscloudfront.DistributionProps{
		Comment: jsii.String(l.config.App), DefaultBehavior: behavior, AdditionalBehaviors: &others,
		ErrorResponses: errorsUncached(), HttpVersion: awscloudfront.HttpVersion_HTTP2_AND_3,
	}

	logged := logsTo(*awscdk.Stack_Of(l.scope).Region())
	if logged {
		props.LogBucket, props.LogFilePrefix = b.logs, jsii.String("viewers/")
	}

	if d := l.config.Domains.Site; d != nil {
		props.MinimumProtocolVersion = awscloudfront.SecurityPolicyProtocol_TLS_V1_2_2021
		props.DomainNames = jsii.Strings(d.Name)
		props.Certificate = awscertificatemanager.Certificate_FromCertificateArn(l.scope,
			jsii.String("SiteCertificate"), &d.Certificate)
	}

	distribution := awscloudfront.NewDistribution(l.scope, jsii.String("Distribution"), props)
	made.domain = *distribution.DistributionDomainName()

	made.url = "https://" + made.domain
	if d := l.config.Domains.Site; d != nil {
		made.url = "https://" + d.Name
	} else {
		accept(distribution, "AwsSolutions-CFR4",
			"Without a domain of its own CloudFront's certificate is all there is.")
	}

	if l.config.Router == config.LambdaEdge {
		accept(distribution, "AwsSolutions-CFR7", "Origin access control does not sign for an "+
			"origin that Lambda@Edge switched to; an identity reads the buckets.")
	}

	if !logged {
		accept(distribution, "AwsSolutions-CFR3",
			"CloudFront delivers no logs to a bucket in this Region.")
	}

	accept(distribution, "AwsSolutions-CFR1", "The application decides which countries it serves.")
	accept(distribution, "AwsSolutions-CFR2", "The application decides whether it needs a firewall.")

	return made
}

// logsTo tells whether CloudFront delivers logs to buckets in a Region: it refuses those that
// accounts have to opt in to.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
func logsTo(region string) bool {
	return *awscdk.Token_IsUnresolved(region) || slices.Contains([]string{
		"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
		"eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
	}, region)
}

// siteCache keeps one entry per environment.
func (l *Lockstep) siteCache() awscloudfront.CachePolicy {
	none := awscdk.Duration_Seconds(jsii.Number(0))
	props := &awscloudfront.CachePolicyProps{
		CachePolicyName: l.inRegion(),
		Comment:         jsii.String("One entry per environment; how long is for the objects to say."),
		HeaderBehavior:  awscloudfront.CacheHeaderBehavior_AllowList(jsii.String(environmentHeader)),
		MinTtl:          none, DefaultTtl: none, MaxTtl: awscdk.Duration_Days(jsii.Number(365)),
		EnableAcceptEncodingBrotli: jsii.Bool(true), EnableAcceptEncodingGzip: jsii.Bool(true),
	}

	return awscloudfront.NewCachePolicy(l.scope, jsii.String("SiteCache"), props)
}

// siteBehavior is how the site is served from wherever the router says.
func siteBehavior(
	origin awscloudfront.IOrigin, cache awscloudfront.CachePolicy,
) *awscloudfront.BehaviorOptions {
	return &awscloudfront.BehaviorOptions{
		Origin: origin, CachePolicy: cache, Compress: jsii.Bool(true),
		ResponseHeadersPolicy: awscloudfront.ResponseHeadersPolicy_SECURITY_HEADERS(),
		ViewerProtocolPolicy:  awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
	}
}

// siteOrigin is the id under which the router knows a site bucket.
func siteOrigin(e sm.Environment) *string { return jsii.String("site-" + string(e)) }

// edgeOptions are what the configuration says of the router.
func (l *Lockstep) edgeOptions() edge.Options {
	return edge.Options{SinglePage: l.config.Site.Pages == config.Single,
		CookieDomain: l.config.Site.CookieDomain, CookieName: l.config.CookieName()}
}

// errorsUncached: what fails now may be there the next moment. They name no page, so they replace
// none.
func errorsUncached() *[]*awscloudfront.ErrorResponse {
	var list []*awscloudfront.ErrorResponse
	for _, status := range []float64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504} {
		list = append(list, &awscloudfront.ErrorResponse{HttpStatus: jsii.Number(status),
			Ttl: awscdk.Duration_Seconds(jsii.Number(0))})
	}

	return &list
}
