package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/jsii-runtime-go"

	"lockstep/edge"
	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// environmentHeader is what the router puts on a request, so that the cache keeps the environments apart.
const environmentHeader = "x-lockstep-env"

// newDistribution makes what viewers meet first: the site, routed by the function at the edge, and the API
// below it, where nothing is cross-origin.
func (l *Lockstep) newDistribution() {
	l.keyValue = awscloudfront.NewKeyValueStore(l.scope, jsii.String("Route"), &awscloudfront.KeyValueStoreProps{
		KeyValueStoreName: jsii.String("lockstep-" + l.config.App),
		Comment:           jsii.String("Which share of the viewers goes to which environment of " + l.config.App + "."),
	})
	l.settings.KeyValue = *l.keyValue.KeyValueStoreArn()
	router := awscloudfront.NewFunction(l.scope, jsii.String("Router"), &awscloudfront.FunctionProps{
		FunctionName: jsii.String("lockstep-" + l.config.App), Code: awscloudfront.FunctionCode_FromInline(jsii.String(Router(l.config.Site.Pages))),
		Runtime: awscloudfront.FunctionRuntime_JS_2_0(), KeyValueStore: l.keyValue,
		Comment: jsii.String("Routes documents by the viewer's bucket; all else follows its document."),
	})
	cache := awscloudfront.NewCachePolicy(l.scope, jsii.String("SiteCache"), &awscloudfront.CachePolicyProps{
		CachePolicyName: jsii.String("lockstep-" + l.config.App),
		Comment:         jsii.String("One entry per environment; how long is for the objects to say."),
		HeaderBehavior:  awscloudfront.CacheHeaderBehavior_AllowList(jsii.String(environmentHeader)),
		MinTtl:          awscdk.Duration_Seconds(jsii.Number(0)), DefaultTtl: awscdk.Duration_Seconds(jsii.Number(0)),
		MaxTtl:                     awscdk.Duration_Days(jsii.Number(365)),
		EnableAcceptEncodingBrotli: jsii.Bool(true), EnableAcceptEncodingGzip: jsii.Bool(true),
	})
	site := func(e sm.Environment) *awscloudfront.BehaviorOptions {
		return &awscloudfront.BehaviorOptions{
			Origin: awscloudfrontorigins.S3BucketOrigin_WithOriginAccessControl(l.sites[e], &awscloudfrontorigins.S3BucketOriginWithOACProps{
				OriginId: jsii.String("site-" + string(e)), // as the router names it
			}),
			CachePolicy: cache, Compress: jsii.Bool(true), ResponseHeadersPolicy: awscloudfront.ResponseHeadersPolicy_SECURITY_HEADERS(),
			ViewerProtocolPolicy: awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
		}
	}
	first := site(sm.A)
	for _, event := range []awscloudfront.FunctionEventType{awscloudfront.FunctionEventType_VIEWER_REQUEST, awscloudfront.FunctionEventType_VIEWER_RESPONSE} {
		first.FunctionAssociations = with(first.FunctionAssociations, &awscloudfront.FunctionAssociation{EventType: event, Function: router})
	}
	others := map[string]*awscloudfront.BehaviorOptions{
		// No viewer asks for it: an origin that no behaviour names, the router could not select.
		"/.lockstep/site-b": site(sm.B),
	}
	stages := awscloudfrontorigins.NewHttpOrigin(jsii.String(l.apiHost()), &awscloudfrontorigins.HttpOriginProps{
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
		Comment: jsii.String(l.config.App), DefaultBehavior: first, AdditionalBehaviors: &others,
		ErrorResponses: errorsUncached(), LogBucket: l.logs, LogFilePrefix: jsii.String("viewers/"),
		HttpVersion: awscloudfront.HttpVersion_HTTP2_AND_3,
	}
	if d := l.config.Domains.Site; d != nil {
		props.MinimumProtocolVersion = awscloudfront.SecurityPolicyProtocol_TLS_V1_2_2021
		props.DomainNames = jsii.Strings(d.Name)
		props.Certificate = awscertificatemanager.Certificate_FromCertificateArn(l.scope, jsii.String("SiteCertificate"), &d.Certificate)
	}
	l.distribution = awscloudfront.NewDistribution(l.scope, jsii.String("Distribution"), props)
	l.settings.SiteURL = "https://" + *l.distribution.DistributionDomainName()
	if d := l.config.Domains.Site; d != nil {
		l.settings.SiteURL = "https://" + d.Name
	} else {
		accept(l.distribution, "AwsSolutions-CFR4", "Without a domain of its own CloudFront's certificate is all there is.")
	}
	accept(l.distribution, "AwsSolutions-CFR1", "The application decides which countries it serves.")
	accept(l.distribution, "AwsSolutions-CFR2", "The application decides whether it needs a firewall.")
}

// errorsUncached: what fails now may be there the next moment. They name no page, so they replace none.
func errorsUncached() *[]*awscloudfront.ErrorResponse {
	var list []*awscloudfront.ErrorResponse
	for _, status := range []float64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504} {
		list = append(list, &awscloudfront.ErrorResponse{HttpStatus: jsii.Number(status), Ttl: awscdk.Duration_Seconds(jsii.Number(0))})
	}
	return &list
}

// Router is the function at the edge for the site's way to name files.
func Router(pages config.Pages) string {
	code, err := edge.CloudFront(edge.Options{SinglePage: pages == config.Single})
	if err != nil {
		panic(fmt.Sprintf("build the router: %v", err)) // it does not depend on what a user wrote
	}
	return code
}

func with[T any](list *[]T, one T) *[]T {
	if list == nil {
		return &[]T{one}
	}
	longer := append(*list, one)
	return &longer
}
