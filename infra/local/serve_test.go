package main

import (
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// What a web page could reach through a browser: the endpoint checks no signature, so it must not
// be talked to by one, whether its script is of another site or of a name that was let resolve to
// this machine.
func TestHandler_RefusesWebPages(t *testing.T) {
	code := map[sm.Task][]byte{}
	for _, task := range sm.Functions() {
		code[task] = placeholder()
	}

	described, err := config.Parse([]byte(`{"app":"shop"}`))
	if err != nil {
		t.Fatal(err)
	}

	up, err := stack.Up(stack.Options{Config: described, Runner: lambda.NewInProcess(nil), Code: code,
		Placeholder: placeholder(), MetricPeriod: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()

	l := &local{stack: up, story: newStory(os.Stderr)}
	l.gate.open(up.Front)

	const settings = "/shop-lockstep-state/settings.json"
	for name, c := range map[string]struct {
		method, target, host string
		header               map[string]string
		want                 int
	}{
		"a client of AWS":       {"GET", settings, "127.0.0.1:8080", nil, 200},
		"one by the other name": {"GET", settings, "localhost:8080", nil, 200},
		"one through its proxy": {"GET", "http://shop-lockstep-state.127.0.0.1:8080" + settings, "",
			nil, 200},
		"a script of another site": {"GET", settings, "127.0.0.1:8080",
			map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a form of another site": {"POST", "/", "127.0.0.1:8080",
			map[string]string{"Origin": "https://attacker.example"}, 403},
		"a script without an origin": {"POST", "/", "127.0.0.1:8080", map[string]string{"Origin": "null"},
			403},
		"a rebound name": {"GET", settings, "attacker.example:8080",
			map[string]string{"Sec-Fetch-Site": "same-origin"}, 421},
		"a rebound name that writes": {"PUT", settings, "attacker.example:8080",
			map[string]string{"Sec-Fetch-Site": "same-origin",
				"Origin": "http://attacker.example:8080"}, 421},
		"a name in the proxy's form": {"PUT", "http://attacker.example:8080" + settings, "",
			map[string]string{"Origin": "http://attacker.example:8080"}, 403},
		"the page, rebound": {"GET", "/_lockstep", "attacker.example:8080", nil, 421},
		"the shop, rebound": {"GET", "/", "attacker.example:8080", nil, 421},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, nil)
			if c.host != "" {
				r.Host = c.host
			}

			r.Header.Set(
				"Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request")

			for key, value := range c.header {
				r.Header.Set(key, value)
			}

			w := httptest.NewRecorder()
			l.handler().ServeHTTP(w, r)

			if w.Code != c.want {
				t.Errorf("%s %s of %q: got %d %s, want %d", c.method, c.target, c.host, w.Code, w.Body, c.want)
			}
		})
	}

	if object, _ := up.Cloud.S3.Get("shop-lockstep-state", "settings.json"); len(object.Body) == 0 {
		t.Error("the settings were written over")
	}
}
