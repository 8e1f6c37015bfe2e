package route

import (
	"context"
	"net"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

// Endpoint makes AWS_ENDPOINT_URL usable for the key-value store on loopback. The SDK puts the
// account before the host, and 123456789012.127.0.0.1 is no host.
func Endpoint(o *kvs.Options) {
	if o.BaseEndpoint == nil {
		return
	}

	base, err := url.Parse(*o.BaseEndpoint)
	if err != nil || (net.ParseIP(base.Hostname()) == nil && base.Hostname() != "localhost") {
		return
	}

	o.EndpointResolverV2 = bareHost{o.EndpointResolverV2, base}
}

// bareHost resolves to a base URL without the account.
type bareHost struct {
	inner kvs.EndpointResolverV2
	base  *url.URL
}

// ResolveEndpoint resolves as the SDK does, which also checks the ARN and chooses SigV4A, and then
// replaces the URL.
func (b bareHost) ResolveEndpoint(ctx context.Context,
	p kvs.EndpointParameters) (smithyendpoints.Endpoint, error) {
	p.Endpoint = aws.String(b.base.Scheme + "://localhost")

	endpoint, err := b.inner.ResolveEndpoint(ctx, p)
	if err == nil {
		endpoint.URI = *b.base
	}

	return endpoint, err
}
