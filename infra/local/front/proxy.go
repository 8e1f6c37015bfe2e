package front

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine"
)

// proxyRequest makes the event of a Lambda proxy integration. Its path does not include the stage.
func (d *distribution) proxyRequest(
	r *http.Request, v visit, e statemachine.Environment, resource, path string,
	variables map[string]string, body []byte,
) events.APIGatewayProxyRequest {
	host := d.API + ".execute-api." + wire.Region + ".amazonaws.com"
	headers := r.Header.Clone()
	headers.Set("Host", host) // the distribution does not forward the viewer's Host
	headers.Set("X-Forwarded-For", v.ip)
	headers.Set("X-Forwarded-Proto", "https")
	headers.Set("X-Amz-Cf-Id", v.requestID)

	now := time.Now()

	event := events.APIGatewayProxyRequest{
		Resource:                        resource,
		Path:                            path,
		HTTPMethod:                      r.Method,
		Headers:                         last(headers),
		MultiValueHeaders:               headers,
		QueryStringParameters:           last(r.URL.Query()),
		MultiValueQueryStringParameters: r.URL.Query(),
		StageVariables:                  variables,
		Body:                            string(body),
		RequestContext: events.APIGatewayProxyRequestContext{
			AccountID:        wire.Account,
			APIID:            d.API,
			DomainName:       host,
			DomainPrefix:     d.API,
			Stage:            e.Stage(),
			RequestID:        v.requestID,
			ResourcePath:     resource,
			Path:             "/" + e.Stage() + path,
			HTTPMethod:       r.Method,
			Protocol:         r.Proto,
			RequestTime:      now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			RequestTimeEpoch: now.UnixMilli(),
			Identity:         events.APIGatewayRequestIdentity{SourceIP: v.ip, UserAgent: r.UserAgent()},
		},
	}
	if prefix, ok := strings.CutSuffix(resource, "/{proxy+}"); ok {
		event.PathParameters = map[string]string{"proxy": strings.TrimPrefix(path, prefix+"/")}
	}

	if !utf8.Valid(body) {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}

	return event
}

// last returns one value for each name: like API Gateway, the last one.
func last(values map[string][]string) map[string]string {
	single := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) > 0 {
			single[name] = all[len(all)-1]
		}
	}

	return single
}

// proxyResponse parses the result of a function. Anything but the documented form is a bad gateway.
func proxyResponse(result []byte) answer {
	strict := json.NewDecoder(bytes.NewReader(result))
	strict.DisallowUnknownFields()

	var response events.APIGatewayProxyResponse
	if err := strict.Decode(&response); err != nil {
		return badGateway
	}

	if response.StatusCode < 200 || response.StatusCode > 599 {
		return badGateway
	}

	body := []byte(response.Body)
	if response.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			return badGateway
		}
	}

	header := http.Header{}
	for name, value := range response.Headers {
		header.Set(name, value)
	}

	for name, values := range response.MultiValueHeaders {
		for i, value := range values {
			if i == 0 {
				header.Set(name, value)
			} else {
				header.Add(name, value)
			}
		}
	}

	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}

	return answer{response.StatusCode, header, body}
}
