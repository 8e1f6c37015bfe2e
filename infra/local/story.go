package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/page"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// viewers is the number of simulated viewers.
const viewers = 300

// story subscribes to the bus, as a pager could, and prints what happens in the terminal.
type story struct {
	out    io.Writer
	colors bool

	mu        sync.Mutex
	began     time.Time
	ids       []string
	ends      map[string]chan struct{}
	finished  map[string]string // by execution: its release
	rollbacks map[string][]span
	rang      map[string]time.Time // by release: when the first alarm went off
	answers   map[string]time.Time // by release: when it last answered a call
	last      string
}

// span is an interval; to is zero while it lasts.
type span struct{ from, to time.Time }

func newStory(out *os.File) *story {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""

	return &story{
		out: out, colors: terminal, began: time.Now(), ends: map[string]chan struct{}{},
		finished: map[string]string{}, rollbacks: map[string][]span{}, rang: map[string]time.Time{},
		answers: map[string]time.Time{},
	}
}

func (s *story) sayf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// follow subscribes to the events of Lockstep, Step Functions and CloudWatch.
func (s *story) follow(st *stack.Stack) {
	st.Cloud.Events.Subscribe("default", func(e events.Event) {
		switch {
		case e.Source == sm.Source && e.DetailType == sm.DetailStateChange:
			var change sm.StateChange
			if json.Unmarshal(e.Detail, &change) == nil {
				s.tell(change)
			}
		case e.Source == "aws.states":
			s.over(e)
		case e.Source == "aws.cloudwatch":
			s.alarm(e)
		}
	})
}

func (s *story) alarm(e events.Event) {
	var change struct {
		AlarmName string
		State     struct{ Value string }
	}
	if json.Unmarshal(e.Detail, &change) != nil {
		return
	}

	s.mu.Lock()
	if change.State.Value == "ALARM" && len(s.ids) > 0 {
		if id := s.ids[len(s.ids)-1]; s.rang[id].IsZero() {
			s.rang[id] = time.Now()
		}
	}
	s.mu.Unlock()

	if change.State.Value == "ALARM" {
		s.line("", "CloudWatch", "alarm "+change.AlarmName+" rings", red)
	}
}

// over handles the end of an execution: if its release had reached Finish, the release has ended.
func (s *story) over(e events.Event) {
	var change struct{ ExecutionArn, Status string }
	if json.Unmarshal(e.Detail, &change) != nil || change.Status == "RUNNING" {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	release := s.finished[change.ExecutionArn]
	if ended, ok := s.ends[release]; ok {
		close(ended)
		delete(s.ends, release)
	}
}

func (s *story) tell(c sm.StateChange) {
	s.mu.Lock()
	again := s.last == c.Release+c.Text // the bus may deliver an event twice

	s.last = c.Release + c.Text
	if c.Release != sm.RepairRelease && !slices.Contains(s.ids, c.Release) {
		s.ids = append(s.ids, c.Release)
	}

	if c.State == sm.Rollback && !again {
		s.rollback(c, time.Now())
	}

	if c.State == sm.Finish {
		s.finished[c.Execution] = c.Release
	}
	s.mu.Unlock()

	if again {
		return
	}

	color := plain

	switch {
	case c.State == sm.Rollback, c.Outcome == sm.RolledBack, c.Kind == sm.EventVerdict &&
		c.Verdict == sm.Breached:
		color = red
	case c.Outcome == sm.Released:
		color = green
	}

	s.line(c.Release, string(c.State), c.Text, color)
}

// rollback records when a rollback began and when every viewer was back, by the first and the last
// event of the step.
func (s *story) rollback(c sm.StateChange, now time.Time) {
	spans := s.rollbacks[c.Release]
	if c.Kind == sm.EventRollingBack {
		s.rollbacks[c.Release] = append(spans, span{from: now})
		return
	}

	if last := len(spans) - 1; last >= 0 {
		spans[last].to = now
	}
}

// recall restores the story from the records of an interrupted run: the order of releases, those
// that reached Finish, and the rollbacks.
func (s *story) recall(records []sm.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, r := range records {
		s.ids = append(s.ids, r.Release)
		if r.Outcome != "" {
			s.finished[r.Execution] = r.Release
		}

		for _, e := range r.Events {
			if e.State == sm.Rollback {
				s.rollback(sm.StateChange{Release: r.Release, Kind: e.Kind}, e.At)
			}
		}
	}
}

// rolledBack tells whether a view of a release was open at any time while it was rolled back.
func (s *story) rolledBack(release string, opened, closed time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.ContainsFunc(s.rollbacks[release], func(b span) bool {
		return closed.After(b.from) && (b.to.IsZero() || opened.Before(b.to))
	})
}

// answered records that a release has just answered a call.
func (s *story) answered(release string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.answers[release] = time.Now()
}

// again forgets a release's alarm and its last answer, before it is released once more.
func (s *story) again(release string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.rang, release)
	delete(s.answers, release)
}

// end returns a channel that is closed when the release has ended.
func (s *story) end(release string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()

	ended := make(chan struct{})
	s.ends[release] = ended

	return ended
}

// releases lists the releases that were announced on the bus, in order.
func (s *story) releases() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.ids)
}

// safe is how many seconds after the alarm the release answered its last call; nil without an
// alarm.
func (s *story) safe(release string) *float64 {
	s.mu.Lock()
	defer s.mu.Unlock()

	rang, ok := s.rang[release]
	if !ok {
		return nil
	}

	seconds := max(0, s.answers[release].Sub(rang).Seconds())

	return &seconds
}

type color string

const (
	plain color = ""
	red   color = "\x1b[31m"
	green color = "\x1b[32m"
	dim   color = "\x1b[2m"
)

func (s *story) paint(c color, text string) string {
	if !s.colors || c == plain {
		return text
	}

	return string(c) + text + "\x1b[0m"
}

func (s *story) line(release, who, text string, c color) {
	const wide = 110
	if short := []rune(text); len(short) > wide {
		text = string(short[:wide-1]) + "…"
	}

	at := fmt.Sprintf("%6.1fs", time.Since(s.began).Seconds())
	s.sayf("%s  %-4s %s %s", s.paint(dim, at), release, s.paint(c, fmt.Sprintf("%-12s", who)),
		s.paint(c, text))
}

// invite prints what to try.
func (s *story) invite(l *local) {
	s.sayf(`
It stays up. Look at http://%[1]s (the shop) and http://%[1]s%[2]s (the release), or try:

  export AWS_ENDPOINT_URL=http://%[1]s %[3]s=%[4]s
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  %[5]s status --watch
  aws --endpoint-url $AWS_ENDPOINT_URL stepfunctions start-execution \
    --state-machine-arn %[6]s --input '{"release":"v3"}'

Ctrl-C ends it.`, l.address, page.Prefix, sm.StateBucketVariable, l.stack.Settings.StateBucket,
		l.parts.command, l.stack.Settings.Machine)
}
