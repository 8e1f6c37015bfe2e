package page

import (
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// view is what the page draws: a snapshot prepared for the browser, without secrets such as task
// tokens.
type view struct {
	App          string         `json:"app"`
	Now          time.Time      `json:"now"`
	Headline     headline       `json:"headline"`
	Machine      machine        `json:"machine"`
	Ramp         rampChart      `json:"ramp"`
	Environments []environment  `json:"environments"`
	Schema       schema         `json:"schema"`
	Traffic      []Series       `json:"traffic"`
	Visitors     Visitors       `json:"visitors"`
	Alarms       []AlarmState   `json:"alarms"`
	Events       []eventLine    `json:"events"`
	Releases     []releaseRow   `json:"releases"`
	Queue        []string       `json:"queue"`   // the releases that wait
	Colours      map[string]int `json:"colours"` // the palette's index for each release
	Actions      []string       `json:"actions"` // the actions that have an effect now
	Offers       []string       `json:"offers"`  // the releases that can be released
	Frozen       string         `json:"frozen"`  // the reason of the freeze; "" without one
}

// maxReleases is how many releases the page lists.
const maxReleases = 12

// releaseRow is a release in the list of releases.
type releaseRow struct {
	Release string     `json:"release"`
	Attempt int        `json:"attempt"`
	Began   time.Time  `json:"began"`
	Seconds float64    `json:"seconds"`
	Outcome sm.Outcome `json:"outcome"` // "" while it is under way
	Cause   string     `json:"cause"`
	Brief   string     `json:"brief"` // the cause in a few words
	Peak    int        `json:"peak"`  // the highest weight, in basis points
}

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
		App:          s.App,
		Now:          s.Now,
		Headline:     headlineOf(s, current),
		Machine:      machineOf(current, path, s.Plan),
		Ramp:         rampChartOf(current, s.Plan),
		Environments: environmentsOf(s, current),
		Schema:       schemaOf(records),
		Traffic:      nonNil(s.Traffic),
		Visitors:     s.Visitors,
		Alarms:       nonNil(s.Alarms),
		Events:       historyOf(records),
		Releases:     releasesOf(records, s.Now),
		Queue:        []string{},
		Colours:      map[string]int{},
		Actions:      actionsOf(s, current),
		Offers:       nonNil(s.Offers),
		Frozen:       s.Frozen,
	}

	for _, entry := range s.Lock.Queue {
		v.Queue = append(v.Queue, entry.Release)
	}

	return v
}

// currentRecord is the record of the release under way, or else of the last one.
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

// releasesOf lists the releases, newest first.
func releasesOf(records []sm.Record, now time.Time) []releaseRow {
	rows := []releaseRow{}

	for _, r := range slices.Backward(records) {
		row := releaseRow{
			Release: r.Release, Attempt: r.Run, Began: r.Began, Outcome: r.Outcome,
			Cause: r.Cause.String(), Brief: r.Cause.Brief(),
		}

		end := now
		if r.Ended != nil {
			end = *r.Ended
		}

		if !r.Began.IsZero() {
			row.Seconds = end.Sub(r.Began).Seconds()
		}

		for _, e := range r.Events {
			if e.Weight != nil {
				row.Peak = max(row.Peak, *e.Weight)
			}
		}

		rows = append(rows, row)
		if len(rows) == maxReleases {
			break
		}
	}

	return rows
}

// nonNil turns nil into an empty list, since the page's JavaScript does not expect null.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}

	return list
}
