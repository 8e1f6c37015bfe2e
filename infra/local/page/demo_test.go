package page

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

var (
	serveDemo = flag.String(
		"demo", "", "serve the page with an invented run at this address, e.g. 127.0.0.1:8099")
	from  = flag.Float64("from", 0, "second of the invented run to begin with")
	speed = flag.Float64("speed", 1, "how fast the invented run goes; 0 stands still")
)

// TestDemo serves the page for a look at it:
//
//	go test ./infra/local/page -run TestDemo -demo 127.0.0.1:8099 -timeout 0
func TestDemo(t *testing.T) {
	if *serveDemo == "" {
		t.Skip("pass -demo ADDRESS to look at the page")
	}

	began := time.Now()
	d := demo{zero: began.Add(-time.Duration(*from * float64(time.Second)))}

	t.Logf("http://%s%s", *serveDemo, Prefix)
	t.Fatal(http.ListenAndServe(*serveDemo, New(Options{
		Snapshot: func() Snapshot {
			return d.at(*from + math.Mod(time.Since(began).Seconds()**speed, 75))
		},
		Do: func(_ context.Context, action, release string) error {
			return fmt.Errorf("%s %s: the demo does not take actions", action, release)
		},
	})))
}

// demo is an invented run. The stack is set up (-from -70), v1 and v2 are released, and v3 is
// rolled back.
type demo struct{ zero time.Time }

// run is the demo for tests, at a fixed time.
var run = demo{zero: time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)}

type beat struct {
	at      float64
	release string
	state   string
	weight  int
	text    string
}

// ringing is the reason that CloudWatch gives for an alarm.
const ringing = "alarm shop-a-errors: Threshold Crossed: 2 out of the last 3 datapoints " +
	"[38.0 (02/01/30 12:00:55), 23.0 (02/01/30 12:00:50)] were greater than the threshold (5.0) " +
	"(minimum 2 datapoints for OK -> ALARM transition)."

var beats = []beat{
	{-58, "v1", "Begin", 0, "v1 begins in a; b carries nothing"},
	{-57, "v1", "Sync", 0, "b carries nothing yet: nothing to sync"},
	{-55, "v1", "Expand", 0, "the schema fits both versions: 1 migration applied"},
	{-52, "v1", "Deploy", 0, "deployed v1 to a: site, 2 functions"},
	{-50, "v1", "Probe", 0, "v1 in a passed the probe: 1 call"},
	{-49, "v1", "Promote", 0, "v1 in a is the fallback now"},
	{-48, "v1", "Drain", 0, "nobody ever called b"},
	{-47, "v1", "Contract", 0, "contracted for v1: nothing to do; there is no way back from here"},
	{-46, "v1", "Finish", 0, "v1 is released"},
	{0, "v2", "Begin", 0, "v2 begins in b; v1 stays in a"},
	{1, "v2", "Sync", 0, "b is in sync with a, which carries v1: 2 aliases moved"},
	{2, "v2", "Expand", 0,
		"the schema fits both versions: 1 migration applied, 8 rows backfilled"},
	{4, "v2", "Deploy", 0, "deployed v2 to b: site, 2 functions"},
	{6, "v2", "Probe", 0, "v2 in b passed the probe: 1 call"},
	{7, "v2", "Ramp", 500, "5 % of the viewers go to b for 4s"},
	{11, "v2", "CheckAlarms", 500, "inconclusive at 5 %: 14 calls, 20 are needed"},
	{11.4, "v2", "Ramp", 500, "5 % of the viewers stay with b for another 3s"},
	{14.4, "v2", "CheckAlarms", 500, "healthy at 5 %: 31 calls, 0 failed; a failed 0 of 508"},
	{14.8, "v2", "Ramp", 2500, "25 % of the viewers go to b for 5s"},
	{20, "v2", "CheckAlarms", 2500, "healthy at 25 %: 188 calls, 0 failed; a failed 0 of 560"},
	{20.4, "v2", "Ramp", 5000, "50 % of the viewers go to b for 5s"},
	{25.4, "v2", "CheckAlarms", 5000, "healthy at 50 %: 371 calls, 0 failed; a failed 0 of 369"},
	{25.8, "v2", "Ramp", 10000, "100 % of the viewers go to b for 4s"},
	{30, "v2", "CheckAlarms", 10000, "healthy at 100 %: 590 calls, 0 failed"},
	{30.6, "v2", "Promote", 10000, "v2 in b is the fallback now"},
	{31, "v2", "Drain", 10000, ""},
	{31.2, "v2", "OldTabsOpen", 10000, ""},
	{35, "v2", "Drain", 10000, "a has been quiet for 4s"},
	{35.6, "v2", "Contract", 10000, "contracted for v2: 1 migration applied; there is no way back from here"},
	{37, "v2", "Finish", 0, "v2 is released"},
	{44, "v3", "Begin", 0, "v3 begins in a; v2 stays in b"},
	{45, "v3", "Sync", 0, "a is in sync with b, which carries v2: 2 aliases moved"},
	{46.5, "v3", "Expand", 0, "the schema fits both versions: 1 migration applied"},
	{48, "v3", "Deploy", 0, "deployed v3 to a: site, 2 functions"},
	{50, "v3", "Probe", 0, "v3 in a passed the probe: 1 call"},
	{51, "v3", "Ramp", 500, "5 % of the viewers go to a for 4s"},
	{55, "v3", "CheckAlarms", 500, "healthy at 5 %: 22 calls, 1 failed; b failed 0 of 512"},
	{55.4, "v3", "Ramp", 2500, "25 % of the viewers go to a for 5s"},
	{59, "v3", "Rollback", 0, "rolling back: " + ringing},
	{60, "v3", "Rollback", 0,
		"everyone is back on v2: the API after 41ms, the pages after 66ms, 2 aliases after 203ms"},
	{60.5, "v3", "CallsInFlight", 0, ""},
	{63, "v3", "UndoExpand", 0, "the schema is back at version 2"},
	{64, "v3", "Finish", 0, "v3 is rolled back: " + ringing},
}

// operatorSignals are what the operator does during v2.
var operatorSignals = []struct {
	at   float64
	kind sm.SignalKind
}{
	{15.5, sm.SignalPause},
	{16.5, sm.SignalPause},
	{18.5, sm.SignalResume},
	{21, sm.SignalPause},
	{24, sm.SignalResume},
	{26, sm.SignalPromote},
}

// kind is the kind of the step's event. Rollback has two: it begins, and it is done.
func (b beat) kind() sm.EventKind {
	if b.state == "Rollback" && strings.HasPrefix(b.text, "rolling back") {
		return sm.EventRollingBack
	}

	return map[string]sm.EventKind{
		"Ramp":        sm.EventWeight,
		"CheckAlarms": sm.EventVerdict,
		"Promote":     sm.EventPromoted,
		"Contract":    sm.EventContracted,
		"Rollback":    sm.EventRolledBack,
		"Finish":      sm.EventEnded,
	}[b.state]
}

// verdict is the first word of the text of a CheckAlarms.
func (b beat) verdict() sm.Verdict {
	if b.state != "CheckAlarms" {
		return ""
	}

	verdict, _, _ := strings.Cut(b.text, " ")

	return sm.Verdict(verdict)
}

func (d demo) time(at float64) time.Time {
	return d.zero.Add(time.Duration(at * float64(time.Second)))
}

func (d demo) at(now float64) Snapshot {
	if now < beats[0].at {
		return Snapshot{App: "shop", Now: d.time(now)}
	}

	s := Snapshot{
		App: "shop", Now: d.time(now), Offers: []string{"v2", "v3"},
		Plan: sm.RampPlan{Steps: []sm.RampStep{
			{Percent: 5, Bake: sm.Duration(4 * time.Second)},
			{Percent: 25, Bake: sm.Duration(5 * time.Second)},
			{Percent: 50, Bake: sm.Duration(5 * time.Second)},
			{Percent: 100, Bake: sm.Duration(4 * time.Second)},
		}},
		Control:      sm.Control{Active: sm.B, Fallback: sm.A},
		Environments: map[sm.Environment]sm.EnvironmentState{sm.A: carrying("v1", "1"), sm.B: {}},
		Stages:       map[sm.Environment]Stage{sm.A: {"a", "v1"}, sm.B: {"b", ""}},
		Visitors:     Visitors{Viewers: 240, PageViews: 1180 + int(now*16), Requests: 7320 + int(now*96)},
	}
	for _, b := range beats {
		if b.at <= now {
			d.play(&s, b)
		}
	}

	s.Route = sm.Route{Active: s.Control.Active, Fallback: s.Control.Fallback}
	if r := s.Records[len(s.Records)-1]; s.Control.Active == r.Active {
		s.Route.Weight = r.Weight
	}

	rings := now > 58.6 && now < 68

	s.Alarms = []AlarmState{{"shop-a-errors", sm.A, "OK", ""}, {"shop-a-latency", sm.A, "OK", ""},
		{"shop-b-errors", sm.B, "OK", ""}, {"shop-b-latency", sm.B, "OK", ""}}
	if rings {
		s.Alarms[0].State = "ALARM"
	}

	if now < 9 {
		s.Alarms[2].State, s.Alarms[3].State = "INSUFFICIENT_DATA", "INSUFFICIENT_DATA"
	}

	if now > 58.6 {
		r := &s.Records[len(s.Records)-1]
		r.Signals = append(r.Signals, sm.ReceivedSignal{ID: "1", Kind: sm.SignalAlarm,
			Alarm: "shop-a-errors", Reason: ringing, At: d.time(58.6)})
		s.Visitors.StraddledRollback, s.Visitors.Failed = 3, 41
	}

	isV2 := func(r sm.Record) bool { return r.Release == "v2" }

	for _, signal := range operatorSignals {
		if i := slices.IndexFunc(s.Records, isV2); i >= 0 && signal.at <= now {
			s.Records[i].Signals = append(s.Records[i].Signals, sm.ReceivedSignal{
				Kind: signal.kind, Reason: "the operator asked for it: on the page",
				At: d.time(signal.at),
			})
		}
	}

	s.Traffic = d.traffic(now)

	return s
}

func (d demo) play(s *Snapshot, b beat) {
	i := slices.IndexFunc(s.Records, func(r sm.Record) bool { return r.Release == b.release })
	if i < 0 {
		i = len(s.Records)

		active := sm.Environment("b")
		if b.release != "v2" {
			active = sm.A
		}

		s.Records = append(s.Records, sm.Record{Release: b.release, Sequence: int64(i + 1), Run: 1,
			Began: d.time(b.at), Active: active, Fallback: active.Other()})
		s.Path = nil
		s.Control = sm.Control{Active: active, Fallback: active.Other()}
	}

	r := &s.Records[i]
	s.Path = append(s.Path, b.state)
	r.Weight, r.Wait = b.weight, nil

	task := sm.Task(b.state)
	switch b.state {
	case "Expand":
		r.Expanded = true
	case "Deploy":
		s.Environments[r.Active] = carrying(b.release, b.release[1:])
		s.Stages[r.Active] = Stage{string(r.Active), b.release}
	case "Ramp":
		r.Wait = &sm.Wait{Since: d.time(b.at), Until: d.time(b.at + 4),
			Document: sm.Document{Step: slices.Index([]int{0, 500, 2500, 5000, 10000}, b.weight)}}
	case "Promote":
		s.Control = sm.Control{Active: r.Fallback, Fallback: r.Active}
	case "Contract":
		r.Contracted = true
	case "Rollback":
		r.Cause = sm.Cause{Error: sm.AlarmBreached, Alarm: "shop-a-errors", Text: ringing}
		s.Environments[r.Active], s.Stages[r.Active] = carrying("v2", "2"), Stage{"b", "v2"}
	case "UndoExpand":
		s.Stages[r.Active] = Stage{"a", "v2"}
	case "Finish":
		ended := d.time(b.at)

		r.Ended, r.Outcome = &ended, sm.Released
		if !r.Cause.IsZero() {
			r.Outcome = sm.RolledBack
		}

		if r.Outcome == sm.Released {
			s.Path = append(s.Path, "Released")
		} else {
			s.Path = append(s.Path, "RolledBack")
		}
	}

	if slices.Contains(sm.Tasks(), task) {
		r.State = task
	}

	if b.text != "" {
		r.Events = append(r.Events, sm.Event{At: d.time(b.at), State: task, Kind: b.kind(),
			Verdict: b.verdict(), Text: b.text, Weight: &b.weight})
	}
}

func carrying(release, version string) sm.EnvironmentState {
	f := sm.FunctionState{Release: release, Version: version}

	return sm.EnvironmentState{InSync: true, Release: release, Site: &sm.SiteState{Release: release},
		Functions: map[string]sm.FunctionState{"catalog": f, "orders": f}}
}

// traffic gives each release its share of some hundred requests a second.
func (d demo) traffic(now float64) []Series {
	v1, v2, v3 := Series{Release: "v1"}, Series{Release: "v2"}, Series{Release: "v3"}

	for i := range window {
		t := math.Floor(now) - float64(window-i)

		total := 96 + 9*math.Sin(t/3.1) + 6*math.Sin(t*1.7)
		if t < -46 {
			total = 0
		}

		up, bad := 0.0, 0.0

		for _, b := range beats {
			if b.at > t {
				break
			}

			switch share := float64(b.weight) / 10000; {
			case b.release == "v2":
				up = max(up, share)
			case b.release == "v3":
				bad = share
			}
		}

		v1.Requests, v1.Errors = append(v1.Requests, int(total*(1-up))), append(v1.Errors, 0)
		v2.Requests, v2.Errors = append(v2.Requests, int(total*up*(1-bad))), append(v2.Errors, 0)
		v3.Requests, v3.Errors = append(v3.Requests, int(total*bad)), append(v3.Errors, int(total*bad*.5))
	}

	return slices.DeleteFunc([]Series{v1, v2, v3},
		func(s Series) bool { return slices.Max(s.Requests) == 0 })
}
