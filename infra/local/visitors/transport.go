package visitors

import (
	"bytes"
	"io"
	"net/http"
)

// InProcess is a transport that calls the handler where it is: no socket, and so fit for virtual time.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.RequestURI, served.Host, served.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:0"
	if served.Body == nil {
		served.Body = http.NoBody
	}
	defer func() { _ = served.Body.Close() }()
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, served)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header                  { return w.header }
func (w *recorder) WriteHeader(status int)               { w.status = status }
func (w *recorder) Write(data []byte) (n int, err error) { return w.body.Write(data) }

// Loopback is a transport that sends https requests to an address on this machine without encryption, as
// if what ends TLS were in front of it.
func Loopback(address string) http.RoundTripper {
	wire := &http.Transport{MaxIdleConnsPerHost: 64}
	return loopback{wire, address}
}

type loopback struct {
	wire    *http.Transport
	address string
}

func (t loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = "http", t.address, r.URL.Host
	return t.wire.RoundTrip(sent)
}
