package visitors_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/infra/local/inprocess"
	"lockstep/infra/local/visitors"
)

// shop is a site whose layers have the stamps that a test sets.
type shop struct {
	page, asset, build, catalog, orders string
	status                              int // of the API; 200 where not given
	noAsset                             bool
	cookies                             map[string]int
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stamp := func(release string) { w.Header().Set("X-Amz-Meta-Lockstep-Release", release) }

	switch r.URL.Path {
	case "/":
		if cookie, err := r.Cookie("lockstep"); err == nil && s.cookies != nil {
			s.cookies[cookie.Value]++
		} else {
			http.SetCookie(w, &http.Cookie{Name: "lockstep", Value: fmt.Sprint(len(s.cookies)), Path: "/",
				Secure: true})

			if s.cookies != nil {
				s.cookies[fmt.Sprint(len(s.cookies))] = 0
			}
		}

		stamp(s.page)
		fmt.Fprintf(w, `<meta name="lockstep-release" content="%s"><meta name="lockstep-environment" content="a">
			<meta name="lockstep-api" content="/api-a"><script type="module" src="/assets/app.js"></script>`, s.page)
	case "/assets/app.js":
		if s.noAsset {
			http.Error(w, "AccessDenied", http.StatusForbidden)
			return
		}

		stamp(s.asset)
		fmt.Fprintf(w, "// lockstep-release: %s\n", s.build)
	case "/api-a/catalog", "/api-a/orders":
		release := map[string]string{"/api-a/catalog": s.catalog, "/api-a/orders": s.orders}[r.URL.Path]
		if release != "" {
			w.Header().Set("X-Lockstep-Release", release)
		}

		if s.status != 0 {
			w.WriteHeader(s.status)
		}

		fmt.Fprint(w, `{"products":[{"id":7}]}`)
	default:
		http.Error(w, "unexpected request for "+r.URL.Path, http.StatusNotFound)
	}
}

func visit(t *testing.T, transport http.RoundTripper, options visitors.Options) visitors.Report {
	t.Helper()

	var report visitors.Report

	synctest.Test(t, func(t *testing.T) {
		options.Origin, options.Transport = "https://shop.example", transport
		options.Viewers, options.PageViewsPerSecond = 20, 10
		crowd := visitors.New(options)

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		crowd.Run(ctx)
		report = crowd.Report()
	})

	return report
}

func TestCrowd_Judges(t *testing.T) {
	all := func(release string) shop {
		return shop{page: release, asset: release, build: release, catalog: release, orders: release}
	}
	during := visitors.Options{RolledBack: func(release string, opened, closed time.Time) bool {
		return release == "v2" && !opened.After(closed)
	}}

	bad := visitors.Options{Bad: func(release string) bool { return release == "v2" }}
	for name, test := range map[string]struct {
		change  func(*shop)
		options visitors.Options
		// which counters are not zero
		mixed, straddled, failed, outside bool
	}{
		"one release": {func(*shop) {}, visitors.Options{}, false, false,
			false, false},
		"another release's API": {func(s *shop) { s.catalog, s.orders = "v1", "v1" },
			visitors.Options{}, true, false, false, false},
		"one function of another release": {func(s *shop) { s.orders = "v1" },
			visitors.Options{}, true, false, false, false},
		"an API that does not say": {func(s *shop) { s.catalog = "" }, visitors.Options{},
			true, false, false, false},
		"an asset that another release put": {func(s *shop) { s.asset = "v1" }, visitors.Options{},
			true, false, false, false},
		"an asset that another release built": {func(s *shop) { s.build = "v1" }, visitors.Options{},
			true, false, false, false},
		"the old API while rolled back": {func(s *shop) { s.orders = "v1" }, during, false,
			true, false, false},
		"an old asset while rolled back": {func(s *shop) { s.asset, s.orders = "v1", "v1" },
			during, true, false, false, false},
		"one release while rolled back": {func(*shop) {}, during, false, false, false, false},
		"a bad release fails": {func(s *shop) {
			s.status = 502
			s.catalog,
				s.orders = "", ""
		}, bad, false, false, true, false},
		"a good release fails": {func(s *shop) { s.status = 500 }, visitors.Options{},
			false, false, true, true},
		"a good release fails on a bad one's page": {func(s *shop) {
			s.status = 500
			s.catalog,
				s.orders = "v1", "v1"
		}, bad, true, false, true, true},
		"a bad release lacks an asset": {func(s *shop) { s.noAsset = true }, bad, false,
			false, true, true},
		"a function that this release left alone": {func(s *shop) { s.orders = "v1" },
			visitors.Options{Built: func(release, layer string) string {
				return map[string]string{"site": "v2", "assets": "v2", "catalog": "v2", "orders": "v1"}[layer]
			}}, false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := all("v2")
			test.change(&s)

			r := visit(t, inprocess.Transport(&s), test.options)
			for counter, pair := range map[string]struct {
				got  int64
				want bool
			}{"mixed": {r.Mixed, test.mixed}, "straddled": {r.StraddledRollback, test.straddled},
				"failed": {r.Failed, test.failed}, "outside": {r.FailedOutsideBadRelease, test.outside}} {
				if (pair.got > 0) != pair.want {
					t.Errorf("%s is %d in %+v", counter, pair.got, r)
				}
			}

			if test.mixed != (len(r.MixedViews) > 0) || test.outside != (len(r.Failures) > 0) {
				t.Errorf("listed %d mixed views and %d failures", len(r.MixedViews), len(r.Failures))
			}
		})
	}
}

func TestCrowd_KeepsThePace(t *testing.T) {
	s := shop{page: "v2", asset: "v2", build: "v2", catalog: "v2", orders: "v2"}

	r := visit(t, inprocess.Transport(&s), visitors.Options{})
	if r.PageViews < 170 || r.PageViews > 230 { // 10 a second for 20 seconds
		t.Errorf("%d page views, expected about 200", r.PageViews)
	}

	if got := r.Releases["v2"]; got.Requests != r.Requests || got.PageViews != r.PageViews ||
		r.Requests < 4*r.PageViews-20 {
		t.Errorf("%+v, expected all %d requests to be v2's", got, r.Requests)
	}
}

func TestCrowd_KeepsCookiesUntilForgotten(t *testing.T) {
	s := shop{page: "v2", asset: "v2", build: "v2", catalog: "v2", orders: "v2",
		cookies: map[string]int{}}

	r := visit(t, inprocess.Transport(&serial{handler: &s}), visitors.Options{Newcomers: 0.1})
	if newcomers := len(s.cookies); newcomers <= 20 || newcomers > int(r.PageViews)/2 {
		t.Errorf("%d different viewers in %d views of 20, expected some newcomers", newcomers,
			r.PageViews)
	}
}

func TestCrowd_SeedDecides(t *testing.T) {
	run := func(seed uint64) visitors.Counters {
		s := shop{page: "v2", asset: "v2", build: "v2", catalog: "v2", orders: "v2"}
		return visit(t, inprocess.Transport(&s), visitors.Options{Seed: seed}).Counters
	}
	if first, second := run(1), run(1); !reflect.DeepEqual(first, second) {
		t.Errorf("the same seed gave %+v and %+v", first, second)
	}

	if run(1) == run(2) {
		t.Error("two seeds gave the same run")
	}
}

func TestCrowd_TransportErrorsFail(t *testing.T) {
	r := visit(t, broken{}, visitors.Options{})
	if r.Failed == 0 || r.Failed != r.Requests || r.FailedOutsideBadRelease != r.Failed ||
		r.PageViews != 0 {
		t.Errorf("%+v, expected every request to fail", r.Counters)
	}
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}
