package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/visitors"
	sm "lockstep/statemachine"
)

const (
	// wide is how many functions a release of the measurement changes. Moving so many aliases within
	// Lambda's quota takes half a minute.
	wide = 200
	// measuredConvergence is how long a route takes to reach the last edge location, which was
	// measured on AWS at 46 to 83 s.
	measuredConvergence = 80 * time.Second
	// enoughToRollBack is how soon after the alarm the last call of the bad version must have ended,
	// in 19 of 20 rollbacks.
	enoughToRollBack = 2 * time.Second
)

// measurement is the result of --rollbacks.
type measurement struct {
	Functions int `json:"functions"`
	// Seconds from the alarm's event to the end of the last call that the bad version answered,
	// sorted.
	Seconds  []float64         `json:"alarmToLastBadCallSeconds"`
	Median   float64           `json:"median"`
	P95      float64           `json:"p95"`
	Told     []string          `json:"told"` // each record's last event of the step Rollback
	Visitors visitors.Counters `json:"visitors"`
}

// widened is the configuration of the measurement: 200 functions, and a ramp that starts with half
// of the viewers.
func widened(c config.Config) config.Config {
	for n := len(c.Functions) + 1; n <= wide; n++ {
		c.Functions = append(c.Functions, config.Function{
			Name: fmt.Sprintf("more-%03d", n), Runtime: "provided.al2023", Handler: "bootstrap",
			Memory: 128, Timeout: sm.Duration(longestCall), Architecture: "arm64",
		})
	}

	c.Ramp.Steps = []sm.RampStep{
		{Percent: 50, Bake: sm.Duration(time.Hour)}, {Percent: 100, Bake: sm.Duration(time.Minute)},
	}

	return c
}

// widen copies a release's folder and adds the functions that it lacks. Viewers call only the
// shop's own; the aliases of the others only have to be moved.
func (l *local) widen(release, into string) error {
	from := l.parts.releases[release]

	dir := filepath.Join(into, release)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}

	for _, f := range l.config.Functions {
		bootstrap := filepath.Join(dir, "functions", f.Name, "bootstrap")
		if _, err := os.Stat(bootstrap); err == nil {
			continue
		}

		if err := os.MkdirAll(filepath.Dir(bootstrap), 0o755); err != nil {
			return err
		}

		script := fmt.Appendf(nil,
			"#!/bin/sh\necho '%s of %s: nobody calls it' >&2\nexit 1\n", f.Name, release)
		if err := os.WriteFile(bootstrap, script, 0o755); err != nil {
			return err
		}
	}

	l.parts.releases[release] = dir

	return nil
}

// rollbacks releases v1 and then, repeatedly, v3, whose orders fail, so that an alarm rolls it
// back. It measures from the alarm's event to the end of the last call that v3 answered, whichever
// environment the edge still sends viewers to.
func (l *local) rollbacks(ctx context.Context, dir string) error {
	const good, bad = "v1", "v3"
	for _, release := range []string{good, bad} {
		if err := l.widen(release, filepath.Join(dir, "releases")); err != nil {
			return err
		}
	}

	if err := l.release(ctx, good); err != nil {
		return err
	}

	visit, leave := context.WithCancel(ctx)

	var visiting sync.WaitGroup

	visiting.Go(func() { l.crowd.Run(visit) })
	defer visiting.Wait()
	defer leave()

	m := measurement{Functions: len(l.config.Functions)}
	for n := range l.options.rollbacks {
		l.story.again(bad)

		if err := l.once(ctx, bad, n == 0); err != nil {
			return err
		}

		safe := l.story.safe(bad)
		if entry := l.entry(bad); entry.Outcome != sm.RolledBack || safe == nil {
			return fmt.Errorf("rollback %d: %s was %s (%s), expected an alarm to roll it back", n+1, bad,
				entry.Outcome, entry.Cause)
		}

		m.Seconds = append(m.Seconds, *safe)
		m.Told = append(m.Told, l.howLong(bad))
		l.story.sayf("rollback %d of %d: the last call of %s ended %.2f s after the alarm", n+1,
			l.options.rollbacks, bad, *safe)
	}

	leave()
	visiting.Wait()

	m.Visitors = l.crowd.Report().Counters
	m.summarize()
	l.story.sayf("\n%d rollbacks of %d functions: the last call of the bad version ended %.2f s "+
		"after the alarm in the median, %.2f s at the 95th percentile, %.2f s at most;\n%d page views, "+
		"%d mixed, %d requests failed outside of the bad release",
		len(m.Seconds), m.Functions, m.Median, m.P95, m.Seconds[len(m.Seconds)-1],
		m.Visitors.PageViews, m.Visitors.Mixed, m.Visitors.FailedOutsideBadRelease)

	return errors.Join(m.write(l.options.report), m.judge())
}

// summarize sorts the measured seconds and takes the median and the 95th percentile.
func (m *measurement) summarize() {
	slices.Sort(m.Seconds)

	n := len(m.Seconds)
	m.Median, m.P95 = m.Seconds[n/2], m.Seconds[min(n-1, n*95/100)]
}

// once releases the bad version: the first time by the operator's command, then as from the
// console.
func (l *local) once(ctx context.Context, release string, first bool) error {
	if first {
		return l.release(ctx, release)
	}

	ended := l.story.end(release)
	if err := l.do(ctx, "release", release); err != nil {
		return err
	}

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ended:
		return nil
	}
}

// howLong is the text of the record's last event of the step Rollback, which says how long its
// parts took.
func (l *local) howLong(release string) (text string) {
	var record sm.Record
	l.object(sm.RecordKey(release), &record)

	for _, entry := range record.Events {
		if entry.State == sm.Rollback {
			text = entry.Text
		}
	}

	return text
}

func (m measurement) write(file string) error {
	if file == "" {
		return nil
	}

	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

func (m measurement) judge() error {
	if m.P95 > enoughToRollBack.Seconds() {
		return fmt.Errorf("the last call of the bad version ended %.2f s after the alarm at the 95th "+
			"percentile, expected at most %s", m.P95, enoughToRollBack)
	}

	if m.Visitors.Mixed > 0 || m.Visitors.FailedOutsideBadRelease > 0 {
		return fmt.Errorf("%d mixed page views, and %d requests failed outside of the bad release, "+
			"expected none", m.Visitors.Mixed, m.Visitors.FailedOutsideBadRelease)
	}

	return nil
}
