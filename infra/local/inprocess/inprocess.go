// Package inprocess is HTTP without sockets, so it works under virtual time. In tests the SDK's
// clients reach the stand-ins through it, and simulated viewers the front.
package inprocess

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Transport returns a transport that calls the handler in the goroutine of the caller. The handler
// sees the request as a server would have read it.
func Transport(h http.Handler) http.RoundTripper { return direct{h} }

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	var body []byte

	if request.Body != nil {
		var err error

		body, err = io.ReadAll(request.Body)

		_ = request.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read the body of %s %s: %w", request.Method, request.URL, err)
		}
	}

	target, err := url.ParseRequestURI(request.URL.RequestURI())
	if err != nil {
		return nil, err
	}

	served := request.Clone(ctx)
	served.URL, served.RequestURI, served.RemoteAddr = target, target.RequestURI(), "127.0.0.1:0"
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1

	served.Body, served.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	served.ContentLength = int64(len(body))

	if served.Host == "" {
		served.Host = request.URL.Host
	}

	w := &recorder{header: http.Header{}}
	d.handler.ServeHTTP(w, served)

	if err := ctx.Err(); err != nil {
		return nil, err
	}

	return w.response(request), nil
}

type recorder struct {
	header http.Header
	sent   http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 {
		return
	}

	w.status, w.sent = status, http.Header{}
	for name, values := range w.header {
		w.sent[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush sends the header, as handlers that stream expect. The body is not streamed.
func (w *recorder) Flush() { w.WriteHeader(http.StatusOK) }

func (w *recorder) response(request *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	w.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))

	length := int64(w.body.Len())
	if request.Method == http.MethodHead {
		w.body.Reset()
		length, _ = strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64)
	} else if length > 0 || w.sent.Get("Content-Length") != "" {
		w.sent.Set("Content-Length", strconv.FormatInt(length, 10))
	}

	return &http.Response{
		StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent,
		Body: io.NopCloser(&w.body), ContentLength: length, Request: request,
	}
}
