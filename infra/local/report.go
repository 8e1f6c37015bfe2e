package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"lockstep/infra/local/shop"
	"lockstep/infra/local/visitors"
	sm "lockstep/statemachine"
)

// report is the content of --report's file.
type report struct {
	Releases []releaseReport   `json:"releases"`
	Visitors visitors.Counters `json:"visitors"`

	seen visitors.Report
}

type releaseReport struct {
	ID      string     `json:"id"`
	Outcome sm.Outcome `json:"outcome"`
	Cause   sm.Cause   `json:"cause,omitzero"`
	Path    []string   `json:"path"`
	Weights []int      `json:"weights"`
	Seconds float64    `json:"seconds"`
	// AlarmToSafeSeconds is how long after the alarm the last call ended that the release answered;
	// null without an alarm.
	AlarmToSafeSeconds *float64 `json:"alarmToSafeSeconds"`

	contracted bool
}

// caught tells whether an alarm during a bake, or the verdict, had the release rolled back. Either
// may come first, most of all on a busy machine.
func (e releaseReport) caught() bool {
	i := slices.Index(e.Path, string(sm.Rollback))

	return i > 0 && (e.Path[i-1] == string(sm.Ramp) && e.Cause.Error == sm.AlarmBreached ||
		e.Path[i-1] == "Judged")
}

func (l *local) report() report {
	seen := l.crowd.Report()
	return report{Releases: l.ended, Visitors: seen.Counters, seen: seen}
}

// entry is the report of a release that has just ended.
func (l *local) entry(id string) releaseReport {
	var record sm.Record
	l.object(sm.RecordKey(id), &record)

	entry := releaseReport{
		ID: id, Outcome: record.Outcome, Cause: record.Cause, Path: l.path(record.Execution),
		Weights: weights(record), contracted: record.Contracted,
	}
	if record.Ended != nil {
		entry.Seconds = record.Ended.Sub(record.Began).Seconds()
	}

	if record.Outcome == sm.RolledBack {
		entry.AlarmToSafeSeconds = l.story.safe(id)
	}

	return entry
}

// weights are the weights that the release had, in order, in basis points.
func weights(record sm.Record) []int {
	list := []int{}
	for _, entry := range record.Events {
		if entry.Weight != nil && (len(list) == 0 || list[len(list)-1] != *entry.Weight) {
			list = append(list, *entry.Weight)
		}
	}

	return list
}

func (r report) write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

// judge is an error that lists what did not go as expected; nil if everything did.
func (r report) judge() error {
	var problems []error

	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format, args...))
	}

	for _, id := range shop.Releases() {
		want := sm.Released
		if shop.Fails(id) {
			want = sm.RolledBack
		}

		i := slices.IndexFunc(r.Releases, func(e releaseReport) bool { return e.ID == id })
		switch {
		case i < 0:
			problem("%s: found no record of it", id)
		case r.Releases[i].Outcome != want:
			problem("%s: found that it was %s (%s), expected %s", id, r.Releases[i].Outcome,
				r.Releases[i].Cause, want)
		case want == sm.Released && !r.Releases[i].contracted:
			problem("%s: found it released but not contracted: %s", id, r.Releases[i].Cause)
		case want == sm.RolledBack && !r.Releases[i].caught():
			problem("%s: found it rolled back, and neither by an alarm nor by the verdict: %s", id,
				r.Releases[i].Cause)
		}
	}

	if r.Visitors.PageViews == 0 {
		problem("visitors: found no page views")
	}

	if r.Visitors.Mixed > 0 {
		problem("visitors: found %d mixed views, expected none: %+v", r.Visitors.Mixed, r.seen.MixedViews)
	}

	if r.Visitors.FailedOutsideBadRelease > 0 {
		text := fmt.Sprintf("visitors: found %d failures outside of the bad release, expected none",
			r.Visitors.FailedOutsideBadRelease)

		for _, f := range r.seen.Failures {
			text += "\n  " + f.String()
		}

		problem("%s", text)
	}

	return errors.Join(problems...)
}

// summary prints the report.
func (s *story) summary(r report) {
	s.sayf("")

	for _, e := range r.Releases {
		text := fmt.Sprintf("%-4s %s in %.0f s", e.ID, e.Outcome, e.Seconds)
		if e.AlarmToSafeSeconds != nil {
			text += fmt.Sprintf("; its last call was answered %.1f s after the alarm", *e.AlarmToSafeSeconds)
		}

		s.sayf("%s", text)
	}

	v := r.Visitors
	s.sayf("%d page views, %d requests: %d mixed, %d open during the rollback, %d failed, %d of them "+
		"outside of the bad release",
		v.PageViews, v.Requests, v.Mixed, v.StraddledRollback, v.Failed, v.FailedOutsideBadRelease)
}
