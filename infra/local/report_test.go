package main

import (
	"strings"
	"testing"

	"lockstep/infra/local/visitors"
	sm "lockstep/statemachine"
)

// good is a run in which everything went as it should.
func good() report {
	safe := 0.1

	return report{
		Releases: []releaseReport{
			{ID: "v1", Outcome: sm.Released, contracted: true}, {ID: "v2", Outcome: sm.Released,
				contracted: true},
			{ID: "v3", Outcome: sm.RolledBack, Cause: sm.Cause{Error: sm.AlarmBreached},
				AlarmToSafeSeconds: &safe, Path: []string{"Deploy", "Ramp", "Rollback"}},
		},
		Visitors: visitors.Counters{PageViews: 100, Requests: 700, Failed: 5, StraddledRollback: 1},
	}
}

func TestReport_Judge(t *testing.T) {
	if err := good().judge(); err != nil {
		t.Fatalf("a good run: %v", err)
	}

	byVerdict := good()

	byVerdict.Releases[2].AlarmToSafeSeconds, byVerdict.Releases[2].Path = nil, []string{"Ramp",
		"CheckAlarms", "Judged", "Rollback"}
	if err := byVerdict.judge(); err != nil {
		t.Errorf("a good run in which the verdict was first: %v", err)
	}

	for name, c := range map[string]struct {
		spoil func(*report)
		want  string
	}{
		"a release is missing": {func(r *report) { r.Releases = r.Releases[:2] },
			"v3: found no record"},
		"v2 rolled back": {func(r *report) { r.Releases[1].Outcome = sm.RolledBack },
			"v2: found that it was rolled back"},
		"v2 not contracted": {func(r *report) { r.Releases[1].contracted = false },
			"v2: found it released but not contracted"},
		"v3 released": {func(r *report) { r.Releases[2].Outcome = sm.Released },
			"v3: found that it was released"},
		"v3 failed to deploy": {func(r *report) {
			r.Releases[2].Path = []string{"Deploy",
				"Rollback"}
		}, "v3: found it rolled back, and neither by an alarm nor by the verdict"},
		"nobody looked": {func(r *report) { r.Visitors.PageViews = 0 },
			"found no page views"},
		"a mixed view": {func(r *report) { r.Visitors.Mixed = 1 }, "found 1 mixed views"},
		"a failure of a good layer": {func(r *report) { r.Visitors.FailedOutsideBadRelease = 2 },
			"found 2 failures outside"},
		"what failed": {func(r *report) {
			r.Visitors.FailedOutsideBadRelease = 1
			r.seen.Failures = []visitors.Failure{{Viewer: 7, Release: "v2", Request: "GET /orders",
				Problem: "found 502"}}
		}, "\n  00:00:00, viewer 7, GET /orders of v2: found 502"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.spoil(&r)

			if err := r.judge(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestWeights(t *testing.T) {
	at := func(w int) *int { return &w }
	record := sm.Record{Events: []sm.Event{{Weight: at(0)}, {Weight: at(500)}, {Weight: at(500)}, {},
		{Weight: at(2500)}, {Weight: at(0)}}}

	got := weights(record)
	if len(got) != 4 || got[1] != 500 || got[3] != 0 {
		t.Errorf("got %v, want [0 500 2500 0]", got)
	}
}
