// Package cloud puts all stand-ins for AWS behind one endpoint, which processes reach through
// AWS_ENDPOINT_URL. One address is enough, since the signature of a request names the service.
package cloud

import (
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"sync/atomic"

	"lockstep/infra/local/cloud/wire"
)

// Endpoint dispatches requests to services.
type Endpoint struct {
	services map[string]http.Handler // by the name in a signature's credential scope
	handler  atomic.Pointer[http.Handler]
}

// NewEndpoint puts services behind one endpoint. The keys are the service names in signatures.
func NewEndpoint(services map[string]http.Handler) *Endpoint {
	e := &Endpoint{services: services}

	var handler http.Handler = http.HandlerFunc(e.dispatch)
	e.handler.Store(&handler)

	return e
}

// Use wraps every call from now on, for example to record it or to fail it. It may be called while
// calls are under way. CallOf identifies a call.
func (e *Endpoint) Use(wrap func(next http.Handler) http.Handler) {
	handler := wrap(*e.handler.Load())
	e.handler.Store(&handler)
}

// Call identifies a call of an AWS API.
type Call struct{ Service, Operation string }

type callKey struct{}

// CallOf returns the call of a request. It is known to the handlers that Use added.
func CallOf(ctx context.Context) Call {
	call, _ := ctx.Value(callKey{}).(Call)
	return call
}

// ServeHTTP serves signed AWS requests. It also accepts the absolute form that a client sends to an
// HTTP proxy: the SDK puts the account before the host of a KeyValueStore endpoint, and such a name
// does not resolve, so that clients reach it through this endpoint as their proxy.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Signatures are not checked, so a web page must not be able to call through a browser.
	site := r.Header.Get("Sec-Fetch-Site")
	if r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin" {
		refuse(w, r, http.StatusForbidden, "AccessDenied",
			"this endpoint is for AWS clients and takes no requests from web pages")

		return
	}

	service := scope(r)
	if service == "" {
		refuse(w, r, http.StatusForbidden, "AccessDenied",
			"this endpoint accepts only signed AWS requests; any access key will do")

		return
	}

	handler, ok := e.services[service]
	if !ok {
		refuse(w, r, http.StatusNotImplemented, "UnknownService",
			"found no stand-in for the AWS service "+service)

		return
	}

	call := Call{service, operationOf(service, handler, r)}
	(*e.handler.Load()).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, call)))
}

func (e *Endpoint) dispatch(w http.ResponseWriter, r *http.Request) {
	e.services[CallOf(r.Context()).Service].ServeHTTP(w, r)
}

// scope is the service in the credential scope: AKID/date/region/SERVICE/aws4_request, or for
// SigV4A AKID/date/SERVICE/aws4_request. A presigned URL has the scope in its query.
func scope(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}

	credential, _, _ = strings.Cut(credential, ",")

	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 4 || parts[len(parts)-1] != "aws4_request" {
		return ""
	}

	return parts[len(parts)-2]
}

// refuse answers in the protocol of the request, as far as it can be recognised.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	type detail struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}

	var document any = detail{Code: code, Message: message}

	switch contentType := r.Header.Get("Content-Type"); {
	case r.Header.Get("X-Amz-Target") != "" || strings.HasPrefix(contentType, "application/json"):
		wire.Answer(w, r, nil, &wire.Error{Status: status, Code: code, Message: message})
		return
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"): // the query protocol
		document = struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   any
		}{Error: document}
	}

	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(document)
}
