package page

import (
	"fmt"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// maxEvents is how many events of all releases the page shows.
const maxEvents = 80

// eventLine is one line of the event history of all releases: an event of a record, or a signal
// that a release received.
type eventLine struct {
	At      time.Time `json:"at"`
	Release string    `json:"release"`
	State   sm.Task   `json:"state"`
	Text    string    `json:"text"`
	Full    string    `json:"full,omitempty"` // the whole text, if Text is shortened
	Tone    string    `json:"tone"`           // "plain", "good", "bad" or "unsure"

	kind    sm.EventKind
	verdict sm.Verdict
	alarm   string // of a signal
}

// signalled is the kind of a line that shows a signal.
const signalled sm.EventKind = "signal"

// historyOf merges the events and signals of all records, newest first.
func historyOf(records []sm.Record) []eventLine {
	lines := []eventLine{}

	for _, r := range records {
		lines = append(lines, linesOf(r)...)
	}

	slices.SortStableFunc(lines, byTime)
	slices.Reverse(lines)

	return lines[:min(len(lines), maxEvents)]
}

// linesOf lists what happened to one release, oldest first.
func linesOf(r sm.Record) []eventLine {
	var lines []eventLine

	for _, e := range r.Events {
		lines = append(lines, eventLine{
			At: e.At, Release: r.Release, State: e.State, Text: e.Text, Tone: toneOf(e, r),
			kind: e.Kind, verdict: e.Verdict,
		})
	}

	for _, s := range r.Signals {
		tone := "plain"
		if s.Kind == sm.SignalAlarm || s.Kind == sm.SignalRollback {
			tone = "bad"
		}

		lines = append(lines, eventLine{
			At: s.At, Release: r.Release, State: sm.Signal, Text: signalText(s), Tone: tone,
			kind: signalled, alarm: s.Alarm,
		})
	}

	slices.SortStableFunc(lines, byTime)
	shortenCauses(lines, r)

	return lines
}

func byTime(a, b eventLine) int { return a.At.Compare(b.At) }

// signalText describes a signal. The reason of an alarm already begins with "alarm".
func signalText(s sm.ReceivedSignal) string {
	if s.Kind == sm.SignalAlarm {
		return s.Reason
	}

	return fmt.Sprintf("%s: %s", s.Kind, s.Reason)
}

func toneOf(e sm.Event, r sm.Record) string {
	ended := e.Kind == sm.EventEnded
	failed := r.Outcome == sm.RolledBack || r.Outcome == sm.Refused

	switch {
	case e.Kind == sm.EventRollingBack,
		e.State == sm.Recover,
		e.Verdict == sm.Breached,
		ended && failed:
		return "bad"
	case e.Kind == sm.EventPromoted, e.Verdict == sm.Healthy, ended && r.Outcome == sm.Released:
		return "good"
	case e.Verdict == sm.Inconclusive:
		return "unsure"
	}

	return "plain"
}

// shortenCauses shortens a release's cause in every line but the first that names it: CloudWatch's
// reason for an alarm takes three rows. The whole text stays in Full.
func shortenCauses(lines []eventLine, r sm.Record) {
	if r.Cause.Brief() == r.Cause.String() {
		return
	}

	named := false

	for i, l := range lines {
		switch l.kind {
		case sm.EventRollingBack:
			l.Text, l.Full = "rolling back: "+r.Cause.Brief(), l.Text
		case sm.EventEnded:
			l.Text, l.Full = fmt.Sprintf("%s is %s: %s", r.Release, r.Outcome, r.Cause.Brief()), l.Text
		case signalled:
			named = named || l.alarm == r.Cause.Alarm
			continue
		default:
			named = named || l.kind == sm.EventVerdict && l.verdict == sm.Breached
			continue
		}

		if named {
			lines[i] = l
		}

		named = true
	}
}
