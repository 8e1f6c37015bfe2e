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

// environmentHeader is set by the router on every request, so that the cache keeps the environments
// apart.
const environmentHeader = "x-lockstep-env"

// site is how viewers reach the application.
type site struct {
	url      string // https://, with the site's own domain if it has one
	domain   string // CloudFront's name of the distribution
	keyValue string // ARN of the store with the route; empty where Lambda@Edge routes
}

// newDistribution makes the distribution: the site, routed at the edge, and the API on the same
// domain, so that no call is cross-origin.
func (l *Lockstep) newDistribution(b buckets, api awsapigateway.CfnRestApi) (made site) {
	var behavior *awscloudfront.BehaviorOptions

	others := l.stageBehaviors(api)

	if l.config.Router == config.LambdaEdge {
		behavior = l.lambdaEdge(b)
	} else {
		behavior, made.keyValue = l.cloudFrontFunction(b, others)
	}

	props := &awscloudfront.DistributionProps{
		Comment: jsii.String(l.config.App), DefaultBehavior: behavior, AdditionalBehaviors: &others,
		ErrorResponses: errorsUncached(), HttpVersion: awscloudfront.HttpVersion_HTTP2_AND_3,
	}

	logged := logsTo(*awscdk.Stack_Of(l.scope).Region())
	if logged {
		props.LogBucket, props.LogFilePrefix = b.logs, jsii.String("viewers/")
	}

	domain := l.config.Domains.Site
	if domain != nil {
		props.MinimumProtocolVersion = awscloudfront.SecurityPolicyProtocol_TLS_V1_2_2021
		props.DomainNames = jsii.Strings(domain.Name)
		props.Certificate = awscertificatemanager.Certificate_FromCertificateArn(l.scope,
			jsii.String("SiteCertificate"), &domain.Certificate)
	}

	distribution := awscloudfront.NewDistribution(l.scope, jsii.String("Distribution"), props)
	l.acceptDistribution(distribution, logged)

	made.domain = *distribution.DistributionDomainName()
	made.url = "https://" + made.domain

	if domain != nil {
		made.url = "https://" + domain.Name
	}

	return made
}

// stageBehaviors serve the API's stages, by the path of each.
func (l *Lockstep) stageBehaviors(
	api awsapigateway.CfnRestApi,
) map[string]*awscloudfront.BehaviorOptions {
	host := apiHost(api)
	origin := awscloudfrontorigins.NewHttpOrigin(&host, &awscloudfrontorigins.HttpOriginProps{
		OriginId: jsii.String("api"), ProtocolPolicy: awscloudfront.OriginProtocolPolicy_HTTPS_ONLY,
		OriginSslProtocols: &[]awscloudfront.OriginSslPolicy{awscloudfront.OriginSslPolicy_TLS_V1_2},
	})

	behaviors := map[string]*awscloudfront.BehaviorOptions{}
	for _, e := range sm.Environments() {
		behaviors["/"+e.Stage()+"/*"] = &awscloudfront.BehaviorOptions{
			Origin: origin, AllowedMethods: awscloudfront.AllowedMethods_ALLOW_ALL(),
			CachePolicy:          awscloudfront.CachePolicy_CACHING_DISABLED(),
			OriginRequestPolicy:  awscloudfront.OriginRequestPolicy_ALL_VIEWER_EXCEPT_HOST_HEADER(),
			ViewerProtocolPolicy: awscloudfront.ViewerProtocolPolicy_HTTPS_ONLY,
		}
	}

	return behaviors
}

// acceptDistribution says why some of cdk-nag's rules do not hold for the distribution.
func (l *Lockstep) acceptDistribution(distribution awscloudfront.Distribution, logged bool) {
	if l.config.Domains.Site == nil {
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
}

// logsTo tells whether CloudFront delivers logs to buckets in a Region. It does not in the Regions
// that an account has to opt in to.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
func logsTo(region string) bool {
	return *awscdk.Token_IsUnresolved(region) || slices.Contains([]string{
		"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
		"eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
		"ap-southeast-2",
	}, region)
}

// siteCache is the cache policy of the site: one entry per environment.
func (l *Lockstep) siteCache() awscloudfront.CachePolicy {
	none := awscdk.Duration_Seconds(jsii.Number(0))
	props := &awscloudfront.CachePolicyProps{
		CachePolicyName: l.inRegion(),
		Comment:         jsii.String("One entry per environment; how long is for the objects to say."),
		HeaderBehavior: awscloudfront.CacheHeaderBehavior_AllowList(
			jsii.String(environmentHeader)),
		MinTtl: none, DefaultTtl: none, MaxTtl: awscdk.Duration_Days(jsii.Number(365)),
		EnableAcceptEncodingBrotli: jsii.Bool(true), EnableAcceptEncodingGzip: jsii.Bool(true),
	}

	return awscloudfront.NewCachePolicy(l.scope, jsii.String("SiteCache"), props)
}

// siteBehavior serves the site from the origin, unless the router selects another.
func siteBehavior(
	origin awscloudfront.IOrigin, cache awscloudfront.CachePolicy,
) *awscloudfront.BehaviorOptions {
	return &awscloudfront.BehaviorOptions{
		Origin: origin, CachePolicy: cache, Compress: jsii.Bool(true),
		ResponseHeadersPolicy: awscloudfront.ResponseHeadersPolicy_SECURITY_HEADERS(),
		ViewerProtocolPolicy:  awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
	}
}

// siteOrigin is the id by which the router selects a site bucket.
func siteOrigin(e sm.Environment) *string { return jsii.String("site-" + string(e)) }

// edgeOptions are the router's part of the configuration.
func (l *Lockstep) edgeOptions() edge.Options {
	return edge.Options{
		SinglePage:   l.config.Site.Pages == config.Single,
		CookieDomain: l.config.Site.CookieDomain, CookieName: l.config.CookieName(),
	}
}

// errorsUncached keeps CloudFront from caching errors: what is missing now may exist a moment
// later. No error has a page of its own here, so the origin's answer is passed on.
func errorsUncached() *[]*awscloudfront.ErrorResponse {
	var list []*awscloudfront.ErrorResponse
	for _, status := range []float64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504} {
		list = append(list, &awscloudfront.ErrorResponse{
			HttpStatus: jsii.Number(status), Ttl: awscdk.Duration_Seconds(jsii.Number(0)),
		})
	}

	return &list
}
