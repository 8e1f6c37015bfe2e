package edge_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// everyWeight has a route to b for every weight, in order.
func everyWeight(release string) []route {
	routes := make([]route, 10001)
	for weight := range routes {
		routes[weight] = route{"b", "a", float64(weight), release}
	}

	return routes
}

// Each viewer has a random ramp. All ramps share some weights, at which the shares are counted. No
// viewer moves back.
func TestRouter_SharesFollowAnyRisingRamp(t *testing.T) {
	t.Parallel()
	everyone := gather(t, everyWeight("v2"))
	random := rand.New(rand.NewPCG(1, 2))
	pages := make([]byte, viewers)
	climb := func(to func() int) (onActive int) {
		t.Helper()

		weights := make([]int, viewers)
		for n := range weights {
			weights[n] = to()
		}

		before := pages

		pages = everyone.open(func(n int) ask { return ask{route: weights[n], page: before[n]} })
		for n, page := range pages {
			if before[n] == 'b' && page != 'b' {
				t.Fatalf("viewer %d moves back at weight %d", n, weights[n])
			}

			if page == 'b' {
				onActive++
			}
		}

		return onActive
	}

	last := 0
	for _, weight := range []int{0, 1, 100, 1000, 5000, 9999, 10000} {
		if weight-last > 1 {
			climb(func() int { return last + random.IntN(weight-last) })
		}

		share, want := 100*float64(climb(func() int { return weight }))/viewers, float64(weight)/100
		if math.Abs(share-want) > 0.1 || weight > 0 && share == 0 || weight < 10000 && share == 100 {
			t.Errorf("weight %d: %.3f %% of the viewers are on active, expected %.2f %%", weight, share,
				want)
		}

		last = weight
	}
}

// A viewer's buckets in two releases are independent. The two weights between which each viewer
// moves show that the buckets are those of the router.
func TestRouter_BucketsAreIndependentBetweenReleases(t *testing.T) {
	t.Parallel()

	releases := []string{"v2", "v3"}
	everyone := gather(t, slices.Concat(everyWeight(releases[0]), everyWeight(releases[1])))

	const parts = 20

	var table [parts][parts]float64

	buckets := make([][2]int, viewers)
	for i, release := range releases {
		for n := range buckets {
			buckets[n][i] = bucket(viewer(n), release)
		}

		for above, want := range []byte{'a', 'b'} {
			for n, page := range everyone.round(document,
				func(n int) ask { return ask{route: 10001*i + buckets[n][i] + above} }) {
				if page != want {
					t.Fatalf("%s at weight %d: viewer %d is on %c, expected %c", release, buckets[n][i]+above, n,
						page, want)
				}
			}
		}
	}

	for _, b := range buckets {
		table[b[0]*parts/10000][b[1]*parts/10000]++
	}

	expected := float64(viewers) / (parts * parts)
	chiSquare := 0.0

	for _, row := range table {
		for _, seen := range row {
			chiSquare += (seen - expected) * (seen - expected) / expected
		}
	}
	// 399 degrees of freedom: above 490 lies one in a thousand.
	if chiSquare > 490 {
		t.Errorf("chi-square is %.0f: who is early in one release is early in the next", chiSquare)
	}
}
