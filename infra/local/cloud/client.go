package cloud

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"lockstep/infra/local/cloud/wire"
	"lockstep/infra/local/inprocess"
)

// Config is how an SDK client in the same process speaks to this endpoint, without sockets and so
// under virtual time: sfn.NewFromConfig(e.Config()).
func (e *Endpoint) Config() aws.Config {
	return aws.Config{
		Region:      wire.Region,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  e.Client(),
		// an address, so that S3 is asked path-style, as on a real port
		BaseEndpoint: aws.String("http://127.0.0.1"),
	}
}

// Client calls ServeHTTP in the goroutine of the caller.
func (e *Endpoint) Client() *http.Client {
	return &http.Client{
		Transport:     inprocess.Transport(e),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
