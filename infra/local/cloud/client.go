package cloud

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"lockstep/infra/local/cloud/wire"
	"lockstep/infra/local/inprocess"
)

// Config configures SDK clients in the same process: sfn.NewFromConfig(e.Config()). They call the
// endpoint without sockets, which also works under virtual time.
func (e *Endpoint) Config() aws.Config {
	return aws.Config{
		Region:      wire.Region,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  e.Client(),
		// With an IP address the S3 client uses path-style URLs, as it does with a real port.
		BaseEndpoint: aws.String("http://127.0.0.1"),
	}
}

// Client returns an HTTP client that calls ServeHTTP in the goroutine of the caller.
func (e *Endpoint) Client() *http.Client {
	return &http.Client{
		Transport:     inprocess.Transport(e),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
