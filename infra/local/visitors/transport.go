package visitors

import "net/http"

// Loopback returns a transport that sends https requests to an address on this machine without
// encryption, as if a proxy in front of it terminated TLS.
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
