package visitors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/infra/local/front"
	"lockstep/infra/local/inprocess"
	"lockstep/infra/local/visitors"
	"lockstep/statemachine"
)

// serial passes one request at a time to a handler that records what it sees.
type serial struct {
	mu      sync.Mutex
	handler http.Handler
}

func (s *serial) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.handler.ServeHTTP(w, r)
}

// stacks are two environments behind a real front. Tests change them as Lockstep would.
type stacks struct {
	mu      sync.Mutex
	routes  []routed
	entries map[statemachine.Environment]string // the release whose page is in the bucket
	aliases map[statemachine.Environment]string // the alias that the stage calls
	// functions is the release behind each alias.
	functions map[string]string
	// rollback is when the rollback of v2 began and ended.
	rollback [2]time.Time
}

type routed struct {
	at    time.Time
	value string
}

func newStacks() *stacks {
	return &stacks{
		entries:   map[statemachine.Environment]string{"a": "v1", "b": "v2"},
		aliases:   map[statemachine.Environment]string{"a": "a", "b": "b"},
		functions: map[string]string{"a": "v1", "b": "v2"},
	}
}

// lags are the delays of the edge locations. Those of CloudFront were measured at up to 83 s.
var lags = []time.Duration{0, 46 * time.Second, 83 * time.Second}

func (s *stacks) weigh(weight int) {
	value, _ := json.Marshal(statemachine.Route{Active: "b", Fallback: "a", Weight: weight,
		Release: "v2"})

	s.mu.Lock()
	defer s.mu.Unlock()

	s.routes = append(s.routes, routed{time.Now(), string(value)})
}

func (s *stacks) front() http.Handler {
	return front.New(front.Options{
		Locations: len(lags),
		Route: func(location int, _ string) (string, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()

			value, ok := "", false

			for _, r := range s.routes {
				if !r.at.After(time.Now().Add(-lags[location])) {
					value, ok = r.value, true
				}
			}

			return value, ok
		},
		Object: func(e statemachine.Environment, key string) (front.Object, bool) {
			s.mu.Lock()
			release := s.entries[e]
			s.mu.Unlock()

			body := fmt.Sprintf(`<meta name="lockstep-release" content="%s"><meta name="lockstep-environment" content="%s">
				<meta name="lockstep-api" content="/%s"><link href="/assets/%s.css">`, release, e, e.Stage(), release)
			if name, ok := strings.CutPrefix(key, "assets/"); ok {
				release = strings.TrimSuffix(name, ".css")
				if body = "/* lockstep-release: " + release + " */"; release == "v2" && e == "a" {
					return front.Object{}, false // the fallback is never written
				}
			}

			return front.Object{Body: []byte(body), ETag: fmt.Sprintf("%q", key+release),
				ContentType: "text/plain",
				Metadata:    map[string]string{"lockstep-env": string(e), "lockstep-release": release}}, true
		},
		Functions: map[string]string{"/catalog": "shop-catalog", "/orders": "shop-orders"},
		Stage: func(e statemachine.Environment) (map[string]string, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()

			return map[string]string{"alias": s.aliases[e]}, true
		},
		Invoke: func(_ context.Context, _, function string, _ []byte) ([]byte, string, error) {
			alias := function[strings.LastIndexByte(function, ':')+1:]

			return fmt.Appendf(nil, `{"statusCode":200,"headers":{"x-lockstep-release":%q},"body":"{}"}`,
				s.functions[alias]), "", nil
		},
		Record: func(string, string, float64) {},
	})
}

func (s *stacks) rolledBack(release string, opened, closed time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	began, ended := s.rollback[0], s.rollback[1]

	return release == "v2" && !began.IsZero() && closed.After(began) &&
		(ended.IsZero() || opened.Before(ended))
}

// rollBack does what the step Rollback does: it sets the weight to 0 first, then changes the stage
// and the page without waiting for the edge.
func (s *stacks) rollBack() {
	s.mu.Lock()
	s.rollback[0] = time.Now()
	s.mu.Unlock()
	s.weigh(0)
	time.Sleep(200 * time.Millisecond)
	s.mu.Lock()
	s.aliases["b"] = "a"
	s.mu.Unlock()
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()

	s.entries["b"] = "v1"
	s.rollback[1] = time.Now().Add(time.Second)
}

func TestTogether_RampAndRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStacks()
		s.weigh(0)
		time.Sleep(lags[2])

		crowd := visitors.New(visitors.Options{
			Origin: "https://shop.example", Transport: inprocess.Transport(s.front()),
			RolledBack: s.rolledBack,
			Viewers:    600, PageViewsPerSecond: 20, Pause: time.Second, Seed: 4,
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})

		go func() { crowd.Run(ctx); close(done) }()

		before := crowd.Report()

		for _, weight := range []int{1000, 5000} {
			s.weigh(weight)
			time.Sleep(lags[2] + 45*time.Second) // the edge has the weight, and every viewer has come again

			before = crowd.Report()

			time.Sleep(30 * time.Second)

			after := crowd.Report()
			v1 := after.Releases["v1"].PageViews - before.Releases["v1"].PageViews
			v2 := after.Releases["v2"].PageViews - before.Releases["v2"].PageViews

			share := float64(v2) / float64(v1+v2)
			if want := float64(weight) / 10000; math.Abs(share-want) > 0.08 {
				t.Errorf("weight %d: %.3f of %d views were of v2, expected %.2f", weight, share, v1+v2, want)
			}
		}

		s.rollBack()
		// Open pages get some seconds. Then no viewer may get v2 any more, though two edge locations
		// still send viewers to b.
		time.Sleep(6 * time.Second)

		before = crowd.Report()

		time.Sleep(20 * time.Second)
		cancel()
		<-done

		r := crowd.Report()
		if r.Releases["v2"] != before.Releases["v2"] {
			t.Errorf("v2 was seen after its rollback: %+v, before %+v", r.Releases["v2"],
				before.Releases["v2"])
		}

		if r.Mixed > 0 || r.Failed > 0 || r.StraddledRollback == 0 || r.StraddledRollback > 100 {
			t.Errorf("%+v %+v %+v, expected a few views that straddle the rollback, and none mixed or failed", r.Counters, r.MixedViews, r.Failures)
		}
	})
}

// The visitors must be able to find a mixed view, on a site that Lockstep did not build. One of
// three locations has the route, which gives b half of its viewers, so some of the 200 viewers get
// b.
func TestTogether_FindsMixedViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStacks()
		s.weigh(5000)
		s.functions["b"] = "v1" // functions that were not deployed
		crowd := visitors.New(visitors.Options{Origin: "https://shop.example",
			Transport: inprocess.Transport(s.front()), Viewers: 200})

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()

		crowd.Run(ctx)

		r := crowd.Report()
		if r.Mixed == 0 || len(r.MixedViews) == 0 || r.MixedViews[0].Environment != "b" {
			t.Errorf("%+v, expected mixed views in b", r)
		}
	})
}
