// Package loopback keeps what listens on this machine to this machine: not the address alone,
// which a web page reaches under a name that it lets resolve to 127.0.0.1, but the name that was
// asked for.
package loopback

import (
	"net"
	"net/http"
	"strings"
)

// Only refuses requests for names that merely resolve to this machine: behind them is another
// site's script.
func Only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Names(r.Host) {
			http.Error(w, "this address answers to localhost only", http.StatusMisdirectedRequest)
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
