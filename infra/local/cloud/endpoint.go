// Package cloud is the one endpoint behind which all stand-ins for AWS live, as a process sees
// them through AWS_ENDPOINT_URL. Which service a request means stands in its signature, so one
// address is enough.
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

// NewEndpoint puts services behind one endpoint, by the name that signatures have for them.
func NewEndpoint(services map[string]http.Handler) *Endpoint {
	e := &Endpoint{services: services}

	var handler http.Handler = http.HandlerFunc(e.dispatch)
	e.handler.Store(&handler)

	return e
}

// Use wraps every call from here on, while others are under way: to record it, to fail it. CallOf
// tells which call it is.
func (e *Endpoint) Use(wrap func(next http.Handler) http.Handler) {
	handler := wrap(*e.handler.Load())
	e.handler.Store(&handler)
}

// Call is what a request asks of AWS.
type Call struct{ Service, Operation string }

type callKey struct{}

// CallOf is the call that a request makes; it is known to what Use put around the services.
func CallOf(ctx context.Context) Call {
	call, _ := ctx.Value(callKey{}).(Call)
	return call
}

// ServeHTTP serves signed AWS requests, also in the absolute form that a client sends to its HTTP
// proxy: the SDK puts the account before the host of a KeyValueStore endpoint, and such a name
// does not resolve.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// No web page has business here: a signature is not checked, so a browser must not be talked into
	// calling.
	if site := r.Header.Get("Sec-Fetch-Site"); r.Header.Get("Origin") != "" || site != "" &&
		site != "none" && site != "same-origin" {
		refuse(w, r, http.StatusForbidden, "AccessDenied",
			"this endpoint is for AWS clients and takes no requests from web pages")

		return
	}

	service := scope(r)
	if service == "" {
		refuse(w, r, http.StatusForbidden, "AccessDenied",
			"this endpoint takes AWS requests, which are signed; any access key will do")

		return
	}

	handler, ok := e.services[service]
	if !ok {
		refuse(w, r, http.StatusNotImplemented, "UnknownService",
			"there is no stand-in for the AWS service "+service+" here")

		return
	}

	call := Call{service, operationOf(service, handler, r)}
	(*e.handler.Load()).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, call)))
}

func (e *Endpoint) dispatch(w http.ResponseWriter, r *http.Request) {
	e.services[CallOf(r.Context()).Service].ServeHTTP(w, r)
}

// scope is the service in the credential scope, which is AKID/date/region/SERVICE/aws4_request, or
// for SigV4A AKID/date/SERVICE/aws4_request; a presigned URL has it in its query.
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

// refuse answers in the protocol that the request speaks, as far as that shows.
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
