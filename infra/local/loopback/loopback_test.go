package loopback

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnly(t *testing.T) {
	served := Only(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200,
		"localhost": 200, "LOCALHOST": 200, "127.9.9.9": 200,
		"attacker.example:8080": 421, "127.0.0.1.attacker.example": 421,
		"10.0.0.7:8080": 421, "0.0.0.0:8080": 421, "": 421,
		"localhost.attacker.example": 421, "[::]": 421, "127.0.0.1:8080:8080": 421, "127.1": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)

		if w.Code != want {
			t.Errorf("Host %q: got %d, want %d", host, w.Code, want)
		}
	}
}
