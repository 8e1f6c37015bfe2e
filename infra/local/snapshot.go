package main

import (
	"encoding/json"
	"slices"
	"time"

	"lockstep/infra/local/page"
	sm "lockstep/statemachine"
)

// snapshot gathers what the page shows from where the steps store it.
func (l *local) snapshot() page.Snapshot {
	s := page.Snapshot{App: l.config.App, Now: time.Now()}
	if l.gate.front.Load() == nil {
		return s
	}

	set := l.stack.Settings
	s.Plan, s.Traffic = set.Ramp, l.meter.Series()

	s.Environments, s.Stages = l.carries(), map[sm.Environment]page.Stage{}
	if control, ok := l.stack.Cloud.SSM.Get(sm.ControlParameter(l.config.App)); ok {
		decode([]byte(control), &s.Control)
	}

	if frozen, ok := l.stack.Cloud.SSM.Get(sm.FreezeParameter(l.config.App)); ok {
		s.Frozen = sm.FreezeReason(frozen)
	}

	if route, ok := l.stack.Cloud.KeyValue.Read(set.KeyValue, sm.RouteKey, s.Now); ok {
		decode([]byte(route), &s.Route)
	}

	l.object(sm.LockKey, &s.Lock)
	for _, e := range sm.Environments() {
		stage, _ := l.stack.Cloud.APIGateway.Stage(set.API, e.Stage())
		s.Stages[e] = page.Stage{Alias: stage.Variables[sm.StageVariableAlias],
			Release: stage.Variables[sm.StageVariableRelease]}
	}

	s.Records = l.records()
	s.Offers = l.offers(s.Environments[s.Control.Fallback].Sequence, s.Lock)

	s.Path = l.path(newest(s.Records).Execution)
	for _, a := range l.stack.Cloud.Metrics.Alarms() {
		for _, ours := range set.Alarms {
			if ours.Name == *a.AlarmName {
				s.Alarms = append(s.Alarms, page.AlarmState{Name: ours.Name, Environment: ours.Environment,
					State: string(a.StateValue), Reason: *a.StateReason})
			}
		}
	}

	c := l.crowd.Report().Counters
	s.Visitors = page.Visitors{
		Viewers: viewers, PageViews: int(c.PageViews), Requests: int(c.Requests), Mixed: int(c.Mixed),
		StraddledRollback: int(c.StraddledRollback), Failed: int(c.Failed),
		FailedOutsideBadRelease: int(c.FailedOutsideBadRelease),
	}

	return s
}

// offers are the uploaded releases that can be released: newer than the live one, and neither under
// way nor waiting.
func (l *local) offers(live int64, lock sm.Lock) []string {
	var offers []string

	for _, id := range l.story.releases() {
		var m sm.Manifest

		asked := lock.Holder != nil && lock.Holder.Release == id ||
			slices.ContainsFunc(lock.Queue, func(p sm.QueueEntry) bool { return p.Release == id })
		if l.object(sm.ManifestKey(id), &m); m.Sequence > live && !asked {
			offers = append(offers, id)
		}
	}

	return offers
}

// records reads the ledger's records of all releases that were announced on the bus.
func (l *local) records() []sm.Record {
	var records []sm.Record

	for _, id := range l.story.releases() {
		var r sm.Record
		if l.object(sm.RecordKey(id), &r); r.Release != "" {
			records = append(records, r)
		}
	}

	return records
}

// known are the records of all releases in the ledger, in the order in which they began.
func (l *local) known() []sm.Record {
	var records []sm.Record

	for _, key := range l.stack.Cloud.S3.Keys(l.stack.Settings.StateBucket, sm.RecordsPrefix) {
		var r sm.Record
		if l.object(key, &r); r.Release != sm.RepairRelease {
			records = append(records, r)
		}
	}

	slices.SortFunc(records, func(a, b sm.Record) int { return a.Began.Compare(b.Began) })

	return records
}

// carries reads the state of each environment.
func (l *local) carries() map[sm.Environment]sm.EnvironmentState {
	carries := map[sm.Environment]sm.EnvironmentState{}

	for _, e := range sm.Environments() {
		var c sm.EnvironmentState
		l.object(sm.EnvironmentKey(e), &c)
		carries[e] = c
	}

	return carries
}

func (l *local) object(key string, into any) { decode(l.read(key), into) }

// read reads an object of the state bucket; empty if there is none.
func (l *local) read(key string) []byte {
	object, _ := l.stack.Cloud.S3.Get(l.stack.Settings.StateBucket, key)
	return object.Body
}

// decode parses what the steps wrote. Unparseable data is shown as unknown.
func decode(data []byte, into any) { _ = json.Unmarshal(data, into) }

// path lists the states that an execution entered.
func (l *local) path(execution string) []string {
	for _, e := range l.stack.Cloud.States.Executions() {
		if e.ARN == execution {
			path := make([]string, len(e.Path))
			for i, visit := range e.Path {
				path[i] = visit.State
			}

			return path
		}
	}

	return nil
}

func newest(records []sm.Record) sm.Record {
	var last sm.Record
	for _, r := range records {
		if r.Began.After(last.Began) {
			last = r
		}
	}

	return last
}
