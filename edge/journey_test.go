package edge_test

import (
	"math/rand/v2"
	"testing"
)

// written is a route and the second at which it was written.
type written struct {
	at    int
	route route
}

// lags is the delay of each edge location, in seconds.
var lags = []int{0, 40, 90}

// journeys are the possible courses of release v2, which is deployed to b while a serves v1.
var journeys = map[string]struct {
	routes []written
	// rolledBack is when b's entry pages are v1's again; 0 for never.
	rolledBack int
}{
	"promotion": {routes: append(rampOf("v2"), written{1000, route{"a", "b", 0, "v2"}})},
	"rollback": {routes: append(rampOf("v2")[:4], written{700, route{"b", "a", 0, "v2"}}),
		rolledBack: 701},
	"rollback after promotion": {
		routes: append(rampOf("v2"), written{1000, route{"a", "b", 0, "v2"}},
			written{1200, route{"b", "a", 0, "v2"}}),
		rolledBack: 1201,
	},
}

func rampOf(release string) []written {
	var ramp []written
	for step, weight := range []float64{0, 1, 1000, 5000, 10000} {
		ramp = append(ramp, written{step * 200, route{"b", "a", weight, release}})
	}

	return ramp
}

const journeyEnds = 1500

// seen is the index of the route that a location has.
func seen(routes []written, location, second int) int {
	place := 0

	for i := range routes {
		if routes[i].at+lags[location] <= second {
			place = i
		}
	}

	return place
}

// Every viewer opens pages at random times, most near one location and some wandering, each with
// the assets and calls of the page, while a tab that was opened before asks for its own.
func TestJourney_NoPageIsMixed(t *testing.T) {
	for name, journey := range journeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var routes []route
			for _, w := range journey.routes {
				routes = append(routes, w.route)
			}

			everyone := gather(t, routes)
			random := rand.New(rand.NewPCG(3, 4))

			const visits = 4

			var pages []byte

			seconds, locations, oldTabs := make([]int, viewers), make([]int, viewers), make([]string,
				viewers)
			moved, older := 0, 0

			for visited := range visits {
				cookies := pages
				if visited == 0 {
					cookies = make([]byte, viewers)
				}

				for n := range viewers {
					seconds[n] = visited*journeyEnds/visits + random.IntN(journeyEnds/visits)
					if locations[n] = n % len(lags); wanders(n) {
						locations[n] = random.IntN(len(lags))
					}
				}

				pages = everyone.open(func(n int) ask {
					return ask{route: seen(journey.routes, locations[n], seconds[n]), page: cookies[n]}
				})
				// The page's assets are asked some seconds later, and anywhere. Its calls it sends to its own
				// environment itself.
				assets := everyone.round(asset, func(n int) ask {
					return ask{route: seen(journey.routes, random.IntN(len(lags)), seconds[n]+random.IntN(30)),
						page: pages[n]}
				})
				for n, page := range pages {
					if assets[n] != page {
						t.Fatalf("viewer %d: a page of %c with an asset of %c", n, page, assets[n])
					}

					if !wanders(n) && cookies[n] != 0 && cookies[n] != page {
						moved++
						r := journey.routes[seen(journey.routes, locations[n], seconds[n])].route

						heard := r.Weight == 0 && r.Active == "b" && journey.rolledBack > 0 &&
							seconds[n] >= journey.rolledBack-1
						if back := page == 'a'; back != heard {
							t.Fatalf("viewer %d: moves to %c at %d s by %+v", n, page, seconds[n], r)
						}
					}
					// A tab from before asks by the newer cookie: the asset is where that says, or in the other
					// bucket.
					release := releaseOf(page, seconds[n], journey.rolledBack)
					if oldTabs[n] == "" {
						oldTabs[n] = release
					}

					if oldTabs[n] != release {
						older++

						if !holds(page, oldTabs[n]) && !holds('a'+'b'-page, oldTabs[n]) {
							t.Fatalf("viewer %d: the tab with %s gets no asset", n, oldTabs[n])
						}
					}
				}
			}

			if moved < viewers/5 || older == 0 {
				t.Errorf("only %d of the viewers' visits moved, and %d old tabs asked: this journey shows nothing", moved, older)
			}
		})
	}
}

// wanders tells who is near another location each time.
func wanders(n int) bool { return n%10 == 9 }

// releaseOf is the release whose page an environment serves: a is never written, and b gets v1's
// pages back.
func releaseOf(environment byte, second, rolledBack int) string {
	if environment == 'a' || rolledBack > 0 && second >= rolledBack {
		return "v1"
	}

	return "v2"
}

// holds tells whether a bucket has the assets of a release: b carried what a carries before v2
// came, and keeps it.
func holds(environment byte, release string) bool { return environment == 'b' || release == "v1" }
