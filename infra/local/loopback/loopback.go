// Package loopback restricts servers to requests for this machine by name. Listening on 127.0.0.1
// is not enough: a web page can reach that address by a name of its own that resolves to it (DNS
// rebinding).
package loopback

import (
	"net"
	"net/http"
	"strings"
)

// Only refuses requests whose Host is not this machine with status 421: they may come from a
// script of another site.
func Only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Names(r.Host) {
			http.Error(w, "this server accepts requests for localhost only", http.StatusMisdirectedRequest)
			return
		}

		next.ServeHTTP(w, r)
	})
}

// Names tells whether a Host header, with or without a port, names this machine itself.
func Names(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}

	ip := net.ParseIP(host)

	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
