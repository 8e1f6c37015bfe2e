package page

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func handler(do func(ctx context.Context, action, release string) error) http.Handler {
	return New(Options{Snapshot: func() Snapshot { return run.at(16) }, Do: do})
}

func TestPage_Assets(t *testing.T) {
	h := handler(nil)

	for path, kind := range map[string]string{
		"":            "text/html",
		"/":           "text/html",
		"/page.js":    "text/javascript",
		"/machine.js": "text/javascript",
		"/page.css":   "text/css",
		"/mark.svg":   "image/svg+xml",
		"/snapshot":   "application/json",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8080"+Prefix+path, nil))

		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
			w.Body.Len() == 0 {
			t.Errorf("%s: got %d %s with %d bytes, want 200 %s", path, w.Code,
				w.Header().Get("Content-Type"), w.Body.Len(), kind)
		}
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8080"+Prefix+"/nothing.js", nil))

	if w.Code != http.StatusNotFound {
		t.Errorf("a missing file: got %d, want 404", w.Code)
	}
}

func TestPage_RefusesOtherHosts(t *testing.T) {
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "localhost": 200,
		"attacker.example:8080": 421, "127.0.0.1.attacker.example": 421, "10.0.0.7:8080": 421, "": 421,
	} {
		r := httptest.NewRequest("GET", Prefix, nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler(nil).ServeHTTP(w, r)

		if w.Code != want {
			t.Errorf("Host %q: got %d, want %d", host, w.Code, want)
		}
	}
}

func TestPage_Do(t *testing.T) {
	tests := []struct {
		name, body string
		header     map[string]string
		err        error
		status     int
		done       string
	}{
		{"pause", `{"action":"pause"}`, nil, nil, 204, "pause "},
		{"release again", `{"action":"release","release":"v3"}`,
			map[string]string{"Sec-Fetch-Site": "same-origin"}, nil, 204, "release v3"},
		{"refused by the run", `{"action":"resume"}`, nil, errors.New("nothing is paused"), 409,
			"resume "},
		{"unknown action", `{"action":"explode"}`, nil, nil, 400, ""},
		{"unknown field", `{"action":"pause","force":true}`, nil, nil, 400, ""},
		{"not JSON", `action=pause`, nil, nil, 400, ""},
		{"a form", `{"action":"pause"}`, map[string]string{"Content-Type": "text/plain"}, nil, 415, ""},
		{"another site", `{"action":"pause"}`, map[string]string{"Sec-Fetch-Site": "cross-site"}, nil,
			403, ""},
		{"another port", `{"action":"pause"}`, map[string]string{"Sec-Fetch-Site": "same-site"}, nil, 403,
			""},
		{"another origin", `{"action":"pause"}`, map[string]string{"Origin": "http://attacker.example"},
			nil, 403, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			done := ""
			h := handler(func(_ context.Context, action, release string) error {
				done = action + " " + release
				return test.err
			})
			r := httptest.NewRequest("POST", "http://localhost:8080"+Prefix+"/do",
				strings.NewReader(test.body))
			r.Header.Set("Content-Type", "application/json")

			for name, value := range test.header {
				r.Header.Set(name, value)
			}

			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)

			if w.Code != test.status || done != test.done {
				t.Errorf("got %d and did %q, want %d and %q: %s", w.Code, done, test.status, test.done, w.Body)
			}
		})
	}
}

func TestPage_EventsAtMostTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := 0
		h := New(Options{Snapshot: func() Snapshot { snapshots++; return run.at(16) }})
		ctx, cancel := context.WithCancel(t.Context())
		read, write := io.Pipe()
		events := 0

		go func() {
			lines := bufio.NewScanner(read)
			lines.Buffer(nil, 1<<20)

			for lines.Scan() {
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Valid([]byte(data)) {
					events++
				}
			}
		}()

		for range 2 {
			go func() {
				r := httptest.NewRequest("GET", "http://localhost"+Prefix+"/events", nil).WithContext(ctx)
				h.ServeHTTP(flushing{httptest.NewRecorder(), write}, r)
			}()
		}

		time.Sleep(10*time.Second - time.Millisecond)
		cancel()
		synctest.Wait()

		_ = write.Close()

		if events != 40 || snapshots != 20 {
			t.Errorf("two viewers in 10 s: got %d events from %d snapshots, want 40 from 20", events,
				snapshots)
		}
	})
}

// flushing is a response that is written to a pipe.
type flushing struct {
	*httptest.ResponseRecorder
	to io.Writer
}

func (f flushing) Write(data []byte) (int, error) { return f.to.Write(data) }

func TestMeter_CountsBySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		for range 3 {
			m.Count("v1", false)
			m.Count("v2", true)
			time.Sleep(time.Second)
		}

		series := m.Series()
		if len(series) != 2 || series[0].Release != "v1" || series[1].Release != "v2" {
			t.Fatalf("got %+v, want v1 and v2", series)
		}

		end := len(series[1].Requests) - 3
		for i := range 3 {
			if series[1].Requests[end+i] != 1 || series[1].Errors[end+i] != 1 ||
				series[0].Errors[end+i] != 0 {
				t.Errorf("second %d: got %d requests, %d errors of v2, want 1 and 1", i,
					series[1].Requests[end+i], series[1].Errors[end+i])
			}
		}

		time.Sleep((window + 3) * time.Second)

		if series := m.Series(); len(series) != 0 {
			t.Errorf("got %d releases long after the last request, want none", len(series))
		}
	})
}
