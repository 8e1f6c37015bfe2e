package main

import (
	"os"
	"os/exec"
	"testing"

	"lockstep/edge"
)

func TestBench_RouterKeepsToItsBudget(t *testing.T) {
	needsTools(t)

	nothing, err := perRequest(design("nothing"), kinds()[0], 50, 150)
	if err != nil || nothing < 5_000 || nothing > 12_000 {
		t.Errorf("doing nothing takes %.0f instructions, %v: this counts something else", nothing, err)
	}

	costsAtMost(t, kinds(), map[string]float64{"document": 45_000, "first document": 45_000,
		"asset": 17_000, "response": 20_000})
}

// Any request takes a fraction of the millisecond that CloudFront allows for a function, which is
// some millions of instructions.
func TestBench_WorkIsBounded(t *testing.T) {
	needsTools(t)
	costsAtMost(t, hostile(), map[string]float64{"document": 800_000, "first document": 800_000,
		"asset": 25_000, "response": 400_000})
}

func needsTools(t *testing.T) {
	t.Helper()

	for _, tool := range []string{"njs", "valgrind"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: install the Debian package of that name", tool)
			}

			t.Skipf("%s is missing (a Debian package of that name): instructions are not counted", tool)
		}
	}
}

func costsAtMost(t *testing.T, kinds []kind, budget map[string]float64) {
	t.Helper()

	shipped, err := edge.CloudFront(edge.Options{})
	if err != nil {
		t.Fatal(err)
	}

	for _, k := range kinds {
		n, err := perRequest(shipped, k, 50, 150)
		if err != nil {
			t.Fatal(err)
		}

		t.Logf("a %s takes %.0f instructions", k.name, n)

		if n > budget[k.name] {
			t.Errorf("a %s takes %.0f instructions, expected at most %.0f", k.name, n, budget[k.name])
		}
	}
}
