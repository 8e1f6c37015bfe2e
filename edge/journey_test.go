package edge_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// written is a route and the second at which it was written.
type written struct {
	at    int
	route route
}

// lags is how late each edge location hears of a route, in seconds.
var lags = []int{0, 40, 90}

// journeys are what becomes of release v2, which is deployed to b while a serves v1.
var journeys = map[string]struct {
	routes []written
	// rolledBack is when b's entry pages are v1's again; 0 for never.
	rolledBack int
}{
	"promotion": {routes: append(rampOf("v2"), written{1000, route{"a", "b", "v2", 0}})},
	"rollback":  {routes: append(rampOf("v2")[:4], written{700, route{"b", "a", "v2", 0}}), rolledBack: 701},
	"rollback after promotion": {
		routes:     append(rampOf("v2"), written{1000, route{"a", "b", "v2", 0}}, written{1200, route{"b", "a", "v2", 0}}),
		rolledBack: 1201,
	},
}

func rampOf(release string) []written {
	var ramp []written
	for step, weight := range []float64{0, 1, 1000, 5000, 10000} {
		ramp = append(ramp, written{step * 200, route{"b", "a", release, weight}})
	}
	return ramp
}

const journeyEnds = 1500

// seen is the route as a location has it.
func seen(routes []written, location, second int) *route {
	r := &routes[0].route
	for i := range routes {
		if routes[i].at+lags[location] <= second {
			r = &routes[i].route
		}
	}
	return r
}

// Every viewer opens pages at random times, most near one location and some wandering, each with the assets and
// calls of the page, while a tab that was opened before asks for its own.
func TestJourney_NoPageIsMixed(t *testing.T) {
	for name, journey := range journeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(3, 4))
			const visits = 4
			var sample []visit
			var expected []string
			moved, older := 0, 0
			for n := range viewers {
				id, cookie, oldTab := viewer(n), "", ""
				stands := bucket(id, "v2")
				location, wanders := n%len(lags), n%10 == 9
				for visited := range visits {
					second := visited*journeyEnds/visits + random.IntN(journeyEnds/visits)
					if wanders {
						location = random.IntN(len(lags))
					}
					r := seen(journey.routes, location, second)
					page := choose(r, r.Fallback, cookie, stands, true, false)
					if again := choose(r, r.Fallback, page, stands, true, false); again != page {
						t.Fatalf("viewer %d: a reload at %d s goes from %s to %s", n, second, page, again)
					}
					if !wanders && cookie != "" && cookie != page {
						moved++
						heard := r.Weight == 0 && r.Active == "b" && journey.rolledBack > 0 && second >= journey.rolledBack-1
						if back := page == "a"; back != heard {
							t.Fatalf("viewer %d: moves to %s at %d s by %+v", n, page, second, *r)
						}
					}
					// The page's assets, and its calls, which the page itself sends to its own environment.
					if asset := choose(r, r.Fallback, page, stands, false, false); asset != page {
						t.Fatalf("viewer %d: a page of %s with an asset of %s", n, page, asset)
					}
					// A tab from before asks by the newer cookie: the asset is where that says, or in the other bucket.
					if release := oldTab; release != "" && release != releaseOf(page, second, journey.rolledBack) {
						older++
						if !holds(page, release) && !holds(other(page), release) {
							t.Fatalf("viewer %d: the tab with %s gets no asset", n, release)
						}
					}
					if oldTab == "" {
						oldTab = releaseOf(page, second, journey.rolledBack)
					}
					if n%10000 == 0 {
						sample, expected = append(sample, documentVisit(t, id, cookie, *r)), append(expected, page)
					}
					cookie = page
				}
			}
			if moved < viewers/5 || older == 0 {
				t.Errorf("only %d of the viewers' visits moved, and %d old tabs asked: this journey shows nothing", moved, older)
			}
			for engine, run := range engines() {
				for i, o := range run(t, sample) {
					if o.Environment != expected[i] {
						t.Fatalf("%s sends %+v to %s, expected %s", engine, sample[i], o.Environment, expected[i])
					}
				}
			}
		})
	}
}

func documentVisit(t *testing.T, id, page string, r route) visit {
	t.Helper()
	data, err := json.Marshal(map[string]any{"active": r.Active, "fallback": r.Fallback, "release": r.Release, "weight": r.Weight})
	if err != nil {
		t.Fatal(err)
	}
	value, requestID := string(data), id+"-the-first-request=="
	v := visit{Route: &value, Event: request(requestID, "/", map[string]string{"sec-fetch-dest": "document"}, nil)}
	if page != "" {
		cookie := fmt.Sprintf("%s.%s", page, id)
		v.Event = request("another-request====", "/", map[string]string{"sec-fetch-dest": "document"}, &cookie)
	}
	return v
}

// releaseOf is the release whose page an environment serves: a is never written, and b gets v1's pages back.
func releaseOf(environment string, second, rolledBack int) string {
	if environment == "a" || rolledBack > 0 && second >= rolledBack {
		return "v1"
	}
	return "v2"
}

// holds tells whether a bucket has the assets of a release: b carried what a carries before v2 came, and keeps it.
func holds(environment, release string) bool { return environment == "b" || release == "v1" }

func other(environment string) string {
	if environment == "a" {
		return "b"
	}
	return "a"
}
