package edge_test

import (
	"fmt"
	"math"
	"testing"
)

const viewers = 1_000_000

// viewer is the id of the nth viewer, as CloudFront's request ids would give it.
func viewer(n int) string { return fmt.Sprintf("%012x", uint64(n)*0x9E3779B97F4A7C15>>16) }

// buckets are those of all viewers in a release; the engines agree with bucket in the other tests.
func buckets(release string) []int {
	all := make([]int, viewers)
	for n := range all {
		all[n] = bucket(viewer(n), release)
	}
	return all
}

func TestRouter_SharesFollowTheWeight(t *testing.T) {
	t.Parallel()
	all := buckets("v2")
	for _, weight := range []int{1, 100, 1000, 5000, 9999} {
		active := 0
		for _, b := range all {
			if b < weight {
				active++
			}
		}
		got, want := 100*float64(active)/viewers, float64(weight)/100
		if math.Abs(got-want) > 0.1 {
			t.Errorf("weight %d: %.3f %% of the viewers are on active, expected %.2f %%", weight, got, want)
		}
	}
}

func TestRouter_BucketsAreIndependentBetweenReleases(t *testing.T) {
	t.Parallel()
	const parts = 20
	var table [parts][parts]float64
	v2, v3 := buckets("v2"), buckets("v3")
	for n := range v2 {
		table[v2[n]*parts/10000][v3[n]*parts/10000]++
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

// Each step of a ramp, seen by the engine that ships the same file: nobody moves back, and a reload moves nobody.
func TestRouter_RampIsMonotonicAndReloadsNeverFlip(t *testing.T) {
	t.Parallel()
	const some = 80
	weights := []int{0, 1, 100, 1000, 2500, 5000, 7500, 9999, 10000}
	cookies := make([]string, some)
	for _, weight := range weights {
		route := fmt.Sprintf(`{"active":"b","fallback":"a","weight":%d,"release":"v2"}`, weight)
		for reload := range 2 {
			visits := make([]visit, some)
			for n := range visits {
				visits[n] = visit{Route: &route}
				visits[n].Event = request(viewer(n)+"-the-first-request==", "/", map[string]string{"sec-fetch-dest": "document"}, nil)
				if cookies[n] != "" {
					visits[n].Event = request(fmt.Sprintf("another-request-%d-%d", weight, reload), "/",
						map[string]string{"sec-fetch-dest": "document"}, &cookies[n])
				}
			}
			for n, o := range runSobek(t, visits) {
				onActive := cookies[n] != "" && cookies[n][0] == 'b'
				if onActive && o.Environment != "b" {
					t.Fatalf("weight %d: viewer %d moved back", weight, n)
				}
				if reload > 0 && o.Cookie != "" {
					t.Fatalf("weight %d: a reload changed the cookie of viewer %d to %s", weight, n, o.Cookie)
				}
				if want := bucket(viewer(n), "v2") < weight; want != (o.Environment == "b") {
					t.Fatalf("weight %d: viewer %d is on %s", weight, n, o.Environment)
				}
				if o.Cookie != "" {
					cookies[n] = o.Cookie
				}
			}
		}
	}
}
