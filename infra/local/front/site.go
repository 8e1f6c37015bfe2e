package front

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"lockstep/statemachine"
)

// serveSite serves the default behaviour: viewer-request, a bucket, viewer-response.
func (d *distribution) serveSite(w http.ResponseWriter, r *http.Request, v visit) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "This distribution is not configured to allow the HTTP request method "+
			"that was used for this request.", http.StatusForbidden)

		return
	}

	read := func(key string) (string, bool) { return d.Route(v.location, key) }
	event := newEvent(r, v)

	requested, err := d.function.Run(event, read)
	if err != nil {
		functionFailed(w, err)
		return
	}

	if requested.Response != nil {
		write(w, r, *requested.Response, nil)
		return
	}

	response, body := d.fetch(*requested.Request, requested.Origins)
	if response.StatusCode >= http.StatusBadRequest { // CloudFront calls no viewer-response for these
		write(w, r, response, body)
		return
	}

	// The event has the original request: the router must not rely on the changes of viewer-request.
	event.Context.EventType, event.Response = viewerResponse, &response

	answered, err := d.function.Run(event, read)
	switch {
	case err != nil:
		functionFailed(w, err)
	case answered.Response == nil:
		functionFailed(w, errors.New("viewer-response returned no response"))
	default:
		write(w, r, *answered.Response, body)
	}
}

func newEvent(r *http.Request, v visit) Event {
	event := Event{
		Version: "1.0",
		Context: EventContext{"lockstep.local", "ELOCKSTEPLOCAL", viewerRequest, v.requestID},
		Viewer:  EventViewer{v.ip},
		Request: Request{
			Method: r.Method, URI: r.URL.EscapedPath(),
			QueryString: Values{}, Headers: Values{}, Cookies: Cookies{},
		},
	}
	event.Request.Headers.add("host", r.Host)

	for name, values := range r.Header {
		if name == "Cookie" {
			event.Request.Cookies.parse(values)
			continue
		}

		for _, value := range values {
			event.Request.Headers.add(strings.ToLower(name), value)
		}
	}

	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			event.Request.QueryString.add(name, value)
		}
	}

	return event
}

// parse reads Cookie headers. Unlike net/http it keeps invalid values.
func (c Cookies) parse(lines []string) {
	for pair := range strings.SplitSeq(strings.Join(lines, ";"), ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			continue
		}

		cookie, repeated := c[name]
		if !repeated {
			c[name] = Cookie{Value: value}
			continue
		}

		if cookie.MultiValue == nil {
			cookie.MultiValue = []Cookie{{Value: cookie.Value}}
		}

		cookie.MultiValue = append(cookie.MultiValue, Cookie{Value: value})
		c[name] = cookie
	}
}

// fetch requests the object from the origins that the router selected, one after the other, or from
// the origin that the behaviour names. There is no cache.
func (d *distribution) fetch(request Request, origins []string) (response Response, body []byte) {
	if len(origins) == 0 {
		origins = []string{OriginID(statemachine.A)}
	}

	for _, origin := range origins {
		response, body = d.request(request, origin)
		if response.StatusCode != http.StatusForbidden {
			break
		}
	}

	return response, body
}

func (d *distribution) request(request Request, origin string) (Response, []byte) {
	environment := statemachine.A
	if origin == OriginID(statemachine.B) {
		environment = statemachine.B
	}

	path, err := url.PathUnescape(request.URI)
	if err != nil {
		return refusal(http.StatusBadRequest, "InvalidURI"), nil
	}

	object, ok := d.Object(environment, strings.TrimPrefix(path, "/"))
	if !ok {
		// S3 answers 403, not 404, for a missing key: the distribution may not list the bucket.
		return refusal(http.StatusForbidden, "AccessDenied"), []byte(accessDenied)
	}

	headers := Values{"server": {Value: "AmazonS3"}, "etag": {Value: object.ETag}}
	if object.CacheControl != "" {
		headers["cache-control"] = Value{Value: object.CacheControl}
	}

	if matches(request.Headers["if-none-match"], object.ETag) { // a 304 of S3 has no metadata
		return Response{
			StatusCode: http.StatusNotModified, StatusDescription: "Not Modified",
			Headers: headers, Cookies: Cookies{},
		}, nil
	}

	headers["content-type"] = Value{Value: object.ContentType}
	for name, value := range object.Metadata {
		headers["x-amz-meta-"+strings.ToLower(name)] = Value{Value: value}
	}

	return Response{
		StatusCode: http.StatusOK, StatusDescription: "OK", Headers: headers, Cookies: Cookies{},
	}, object.Body
}

const accessDenied = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`

func refusal(status int, code string) Response {
	return Response{
		StatusCode: status, StatusDescription: code, Cookies: Cookies{},
		Headers: Values{"server": {Value: "AmazonS3"}, "content-type": {Value: "application/xml"}},
	}
}

func matches(condition Value, etag string) bool {
	for tag := range strings.SplitSeq(condition.Value, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag != "" && (tag == "*" || tag == etag) {
			return true
		}
	}

	return false
}

func write(w http.ResponseWriter, r *http.Request, response Response, body []byte) {
	for name, value := range response.Headers {
		for _, one := range value.all() {
			w.Header().Add(name, one)
		}
	}

	for name, cookie := range response.Cookies {
		line := name + "=" + cookie.Value
		if cookie.Attributes != "" {
			line += "; " + cookie.Attributes
		}

		w.Header().Add("Set-Cookie", line)
	}

	if response.StatusCode != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}

	w.WriteHeader(response.StatusCode)

	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the viewer may have left
	}
}

// functionFailed is the answer of CloudFront when a function throws.
func functionFailed(w http.ResponseWriter, err error) {
	w.Header().Set("X-Cache", "FunctionExecutionError from cloudfront")
	http.Error(w, "The CloudFront function associated with the CloudFront distribution "+
		"is invalid or could not run. "+err.Error(), http.StatusServiceUnavailable)
}
