package page

import (
	"fmt"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// view is what the page draws: a snapshot made ready, and without what a browser should not have,
// such as task tokens.
type view struct {
	App          string         `json:"app"`
	Now          time.Time      `json:"now"`
	Headline     headline       `json:"headline"`
	Machine      machine        `json:"machine"`
	Ramp         ramp           `json:"ramp"`
	Environments []environment  `json:"environments"`
	Schema       schema         `json:"schema"`
	Traffic      []Series       `json:"traffic"`
	Visitors     Visitors       `json:"visitors"`
	Alarms       []Alarm        `json:"alarms"`
	Story        []line         `json:"story"`
	Releases     []past         `json:"releases"`
	Queue        []string       `json:"queue"`
	Colours      map[string]int `json:"colours"` // which of the palette each release has
	Actions      []string       `json:"actions"`
	Offers       []string       `json:"offers"`
	Frozen       string         `json:"frozen"`
}

// line is a line of the story of all releases.
type line struct {
	At      time.Time `json:"at"`
	Release string    `json:"release"`
	State   sm.Task   `json:"state"`
	Text    string    `json:"text"`
	Full    string    `json:"full,omitempty"` // where Text is shortened
	Tone    string    `json:"tone"`

	kind    sm.EventKind
	verdict sm.Verdict
	alarm   string // of a signal
}

// signalled is the kind of a line that is a signal's.
const signalled sm.EventKind = "signal"

// past is how a release ended, or that it has not.
type past struct {
	Release string     `json:"release"`
	Attempt int        `json:"attempt"`
	Began   time.Time  `json:"began"`
	Seconds float64    `json:"seconds"`
	Outcome sm.Outcome `json:"outcome"`
	Cause   string     `json:"cause"`
	Brief   string     `json:"brief"` // the cause in few words
	Peak    int        `json:"peak"`
}

const (
	storyLines   = 80
	pastReleases = 12
)

func viewOf(s Snapshot) view {
	if s.Now.IsZero() {
		s.Now = time.Now()
	}

	records := slices.Clone(s.Records)
	slices.SortStableFunc(records, func(a, b sm.Record) int { return a.Began.Compare(b.Began) })
	current := currentRecord(records, s.Lock)

	path := s.Path
	if len(path) == 0 {
		path = pathOf(current)
	}

	v := view{
		App: s.App, Now: s.Now, Headline: headlineOf(s, current), Machine: machineOf(current, path,
			s.Plan), Ramp: rampOf(current, s.Plan),
		Environments: environmentsOf(s, current), Schema: schemaOf(records), Traffic: some(s.Traffic), Visitors: s.Visitors,
		Alarms: some(s.Alarms), Story: storyOf(records), Releases: pastOf(records,
			s.Now), Queue: []string{}, Colours: map[string]int{},
		Actions: actionsOf(s, current), Offers: some(s.Offers), Frozen: s.Frozen,
	}
	for _, parked := range s.Lock.Queue {
		v.Queue = append(v.Queue, parked.Release)
	}

	return v
}

// currentRecord is the record of the release under way, or of the last one.
func currentRecord(records []sm.Record, lock sm.Lock) sm.Record {
	if lock.Holder != nil {
		for _, r := range records {
			if r.Release == lock.Holder.Release {
				return r
			}
		}
	}

	if len(records) == 0 {
		return sm.Record{}
	}

	return records[len(records)-1]
}

func storyOf(records []sm.Record) []line {
	lines := []line{}

	for _, r := range records {
		var own []line
		for _, e := range r.Events {
			own = append(own, line{At: e.At, Release: r.Release, State: e.State, Text: e.Text,
				Tone: toneOf(e, r),
				kind: e.Kind, verdict: e.Verdict})
		}

		for _, s := range r.Signals {
			tone := "plain"
			if s.Kind == sm.SignalAlarm || s.Kind == sm.SignalRollback {
				tone = "bad"
			}

			own = append(own, line{At: s.At, Release: r.Release, State: sm.Signal, Text: said(s), Tone: tone,
				kind: signalled, alarm: s.Alarm})
		}

		slices.SortStableFunc(own, byTime)
		shortenCauses(own, r)
		lines = append(lines, own...)
	}

	slices.SortStableFunc(lines, byTime)
	slices.Reverse(lines)

	return lines[:min(len(lines), storyLines)]
}

func byTime(a, b line) int { return a.At.Compare(b.At) }

// said is a signal in words; an alarm's reason begins with the word already.
func said(s sm.ReceivedSignal) string {
	if s.Kind == sm.SignalAlarm {
		return s.Reason
	}

	return fmt.Sprintf("%s: %s", s.Kind, s.Reason)
}

func toneOf(e sm.Event, r sm.Record) string {
	switch {
	case e.Kind == sm.EventRollingBack, e.State == sm.Recover, e.Verdict == sm.Breached,
		e.Kind == sm.EventEnded && (r.Outcome == sm.RolledBack || r.Outcome == sm.Refused):
		return "bad"
	case e.Kind == sm.EventEnded && r.Outcome == sm.Released, e.Kind == sm.EventPromoted, e.Verdict == sm.Healthy:
		return "good"
	case e.Verdict == sm.Inconclusive:
		return "unsure"
	}

	return "plain"
}

func pastOf(records []sm.Record, now time.Time) []past {
	list := []past{}

	for _, r := range slices.Backward(records) {
		end := now
		if r.Ended != nil {
			end = *r.Ended
		}

		p := past{Release: r.Release, Attempt: r.Run, Began: r.Began, Seconds: end.Sub(r.Began).Seconds(),
			Outcome: r.Outcome, Cause: r.Cause.String(), Brief: r.Cause.Brief()}
		if r.Began.IsZero() {
			p.Seconds = 0
		}

		for _, e := range r.Events {
			if e.Weight != nil {
				p.Peak = max(p.Peak, *e.Weight)
			}
		}

		list = append(list, p)
		if len(list) == pastReleases {
			break
		}
	}

	return list
}

// some makes an empty list of none: the page has nothing to say about null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}

	return list
}
