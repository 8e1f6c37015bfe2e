package front_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lockstep/infra/local/front"
	"lockstep/statemachine"
)

const viewer = "carolcarol03" // has bucket 5800 in release v2

// site is a front with two buckets. Each has a page and an asset that name their environment.
func site(routes ...string) http.Handler {
	return front.New(front.Options{
		Locations: len(routes),
		Route: func(location int, key string) (string, bool) {
			return routes[location], key == statemachine.RouteKey && routes[location] != ""
		},
		Object: func(e statemachine.Environment, key string) (front.Object, bool) {
			switch key {
			case "index.html", "assets/app.js", "a b/index.html":
				return front.Object{Body: []byte(key + " of " + string(e)), ContentType: "text/html",
					CacheControl: "no-cache",
					ETag: fmt.Sprintf(
						`"%s"`, e), Metadata: map[string]string{"lockstep-env": string(e)}}, true
			}

			return front.Object{}, false
		},
	})
}

func route(weight int) string {
	return fmt.Sprintf(`{"active":"b","fallback":"a","weight":%d,"release":"v2"}`, weight)
}

func get(h http.Handler, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()

	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}

	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")

	return text
}

func TestSite_WeightDecidesForDocuments(t *testing.T) {
	for weight, want := range map[int]string{0: "a", 5800: "a", 5801: "b", 10000: "b"} {
		r := get(site(route(weight)), "/", "Sec-Fetch-Dest", "document", "Cookie", "other=1; lockstep=a."+
			viewer)
		if got := body(t, r); r.StatusCode != 200 || got != "index.html of "+want {
			t.Errorf("weight %d: %d %q, expected the page of %s", weight, r.StatusCode, got, want)
		}

		cookie := r.Header.Get("Set-Cookie")
		if want == "a" && cookie != "" {
			t.Errorf("weight %d: the cookie was set again: %s", weight, cookie)
		}

		if want == "b" && !strings.HasPrefix(cookie, "lockstep=b."+viewer+"; Path=/; Max-Age=") {
			t.Errorf("weight %d: Set-Cookie is %q", weight, cookie)
		}
	}
}

func TestSite_AssetsFollowTheCookie(t *testing.T) {
	r := get(site(route(10000)), "/assets/app.js", "Sec-Fetch-Dest", "script", "Cookie", "lockstep=a."+
		viewer)
	if got := body(t, r); got != "assets/app.js of a" || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("%q with cookie %q, expected the asset of a and no cookie", got,
			r.Header.Get("Set-Cookie"))
	}

	if got := r.Header.Get("X-Amz-Meta-Lockstep-Env"); got != "a" {
		t.Errorf("x-amz-meta-lockstep-env is %q, expected a", got)
	}
}

func TestSite_ConditionalRequests(t *testing.T) {
	stays := get(site(route(0)), "/", "Sec-Fetch-Dest", "document", "Cookie", "lockstep=a."+viewer,
		"If-None-Match", `"x", W/"a"`)
	if stays.StatusCode != http.StatusNotModified ||
		stays.Header.Get("X-Amz-Meta-Lockstep-Env") != "" || body(t, stays) != "" {
		t.Errorf("%d %v, expected a bare 304", stays.StatusCode, stays.Header)
	}
	// A viewer without a cookie must get an answer that can set one, though the page is cached.
	forgot := get(site(route(0)), "/", "Sec-Fetch-Dest", "document", "If-None-Match", `"a"`)
	if forgot.StatusCode != 200 || forgot.Header.Get("Set-Cookie") == "" {
		t.Errorf("%d with cookie %q, expected 200 with one", forgot.StatusCode,
			forgot.Header.Get("Set-Cookie"))
	}
}

func TestSite_LocationsSeeTheirOwnRoute(t *testing.T) {
	h := site(route(0), route(10000))
	for location, want := range []string{"a", "b", "a"} { // there are two: the third wraps around
		r := get(h, "/", "Sec-Fetch-Dest", "document", front.LocationHeader, fmt.Sprint(location))
		if got := body(t, r); got != "index.html of "+want {
			t.Errorf("location %d: %q, expected the page of %s", location, got, want)
		}
	}
}

func TestSite_Refusals(t *testing.T) {
	h := site(route(0))

	for name, test := range map[string]struct {
		method, path string
		status       int
		cookie       bool
	}{
		"a missing key":     {"GET", "/none.html", 403, false},
		"a path with space": {"GET", "/a%20b/", 200, true},
		"HEAD":              {"HEAD", "/", 200, true},
		"POST":              {"POST", "/", 403, false},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)

		if w.Code != test.status || (w.Header().Get("Set-Cookie") != "") != test.cookie {
			t.Errorf("%s: %d with cookie %q, expected %d", name, w.Code, w.Header().Get("Set-Cookie"),
				test.status)
		}

		if test.method == "HEAD" && (w.Body.Len() > 0 || w.Header().Get("Content-Length") == "0") {
			t.Errorf("HEAD: %d bytes, Content-Length %s", w.Body.Len(), w.Header().Get("Content-Length"))
		}
	}
}

func TestSite_MissingRouteServes(t *testing.T) {
	r := get(site(""), "/", "Sec-Fetch-Dest", "document", "Cookie", "lockstep=b."+viewer)
	if got := body(t, r); got != "index.html of b" {
		t.Errorf("%q, expected the page of b, which has served before", got)
	}
}

func TestSite_Preview(t *testing.T) {
	h := site(`{"active":"b","fallback":"a","weight":0,"release":"v2","preview":"f00d5ce93e4d3c1b3ac9ed2f1dc5f5cb3e1bbf02c3c0a5c5f4f1bc9bb3e0a3ad"}`)

	wrong := get(h, "/?lockstep-preview=let-me-see", "Sec-Fetch-Dest", "document", "Cookie",
		"lockstep=a."+viewer)
	if got := body(t, wrong); wrong.StatusCode != 200 || got != "index.html of a" {
		t.Errorf("a wrong secret: %d %q, expected the page of a", wrong.StatusCode, got)
	}

	secret := fmt.Sprintf("%x", sha256.Sum256([]byte("let-me-see")))
	h = site(`{"active":"b","fallback":"a","weight":0,"release":"v2","preview":"` + secret + `"}`)
	right := get(h, "/?lockstep-preview=let-me-see", "Sec-Fetch-Dest", "document", "Cookie",
		"lockstep=a."+viewer)

	cookie, _, _ := strings.Cut(right.Header.Get("Set-Cookie"), ";")
	if right.StatusCode != http.StatusFound || right.Header.Get("Location") != "?" ||
		cookie != "lockstep=a."+viewer+".let-me-see" {
		t.Errorf("the right secret: %d to %q with %q, expected the cookie of a tester", right.StatusCode,
			right.Header.Get("Location"), cookie)
	}

	if got := body(t, get(h, "/", "Sec-Fetch-Dest", "document", "Cookie",
		cookie)); got != "index.html of b" {
		t.Errorf("a tester at weight 0: %q, expected the page of b", got)
	}
}

func TestSite_OlderTabs(t *testing.T) {
	h := front.New(front.Options{
		Locations: 1,
		Route:     func(int, string) (string, bool) { return route(0), true },
		Object: func(e statemachine.Environment, key string) (front.Object, bool) {
			return front.Object{Body: []byte(
				key), Metadata: map[string]string{"lockstep-env": string(e)}}, e == "b"
		},
	})

	asset := get(h, "/assets/late.js", "Sec-Fetch-Dest", "script", "Cookie", "lockstep=a."+viewer)
	if asset.StatusCode != 200 || asset.Header.Get("X-Lockstep-Outdated") != "true" {
		t.Errorf("an asset that only b has: %d %v, expected it, and word that the page is out of date",
			asset.StatusCode, asset.Header)
	}

	if page := get(h, "/", "Sec-Fetch-Dest", "document", "Cookie", "lockstep=a."+
		viewer); page.StatusCode != 403 {
		t.Errorf("a page that only b has: %d, expected 403", page.StatusCode)
	}
}

func TestFunction_Mistakes(t *testing.T) {
	for source, want := range map[string]string{
		"function handler(": "load CloudFront function",
		"const x = 1;":      "handler",
		"import fs from 'fs'; function handler(){}": `no module "fs"`,
	} {
		f, err := front.NewFunction(source)
		if err == nil {
			_, err = f.Run(front.Event{}, nil)
		}

		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected an error with %q", source, err, want)
		}
	}
}
