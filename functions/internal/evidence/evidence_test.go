package evidence_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// alarms rings; what is over breached nothing since.
type alarms struct{ ringing, over []string }

func (a *alarms) Ringing(_ context.Context, names []string) (ringing []string, err error) {
	for _, name := range a.ringing {
		if slices.Contains(names, name) {
			ringing = append(ringing, name)
		}
	}

	return ringing, nil
}

func (a *alarms) Breached(_ context.Context, name string, _ time.Time) (bool, error) {
	return !slices.Contains(a.over, name), nil
}

// counted is traffic that was the same in every period: by metric, statistic and environment.
type counted map[string]float64

func (counted) Calls(context.Context, sm.Environment, time.Time, time.Time) (requests,
	errors float64, err error) {
	return 0, 0, nil
}

func (c counted) Counts(_ context.Context, series []sm.Series, period time.Duration, since,
	until time.Time) (counts []map[int64]float64, err error) {
	for _, s := range series {
		count := map[int64]float64{}

		for at := since; at.Before(until); at = at.Add(period) {
			if n := c[s.Metric+" "+s.Stat+" "+s.Dimensions["Stage"]]; n != 0 {
				count[at.Unix()] = n
			}
		}

		counts = append(counts, count)
	}

	return counts, nil
}

func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := sm.Settings{
			APIName: "shop", MetricPeriod: sm.Duration(time.Minute), EdgeConvergence: sm.Duration(90 * time.Second),
			Functions: []sm.AppFunction{{Name: "catalog"}, {Name: "orders"}},
			Alarms: []sm.Alarm{{Name: "errors-a", Environment: sm.A}, {Name: "slow-a", Environment: sm.A},
				{Name: "errors-live", Environment: sm.LiveAlias}},
			Verdict: sm.VerdictPlan{FalseAlarms: 1, Errors: 0.1, Slow: 50},
			Metrics: []sm.Metric{{Name: "orders", Better: sm.Higher, Tolerance: 10,
				Events: sm.Series{Namespace: "Shop", Metric: "Orders", Stat: "Sum",
					Dimensions: map[string]string{"Stage": "{stage}"}}}},
		}
		traffic := counted{"Count Sum api-a": 50, "Count Sum api-b": 950, "5XXError Sum api-b": 2,
			"Latency p90 api-b": 300, "Latency TC(300:) api-a": 9, "Orders Sum api-b": 40}
		states := &alarms{ringing: []string{"errors-a", "slow-a", "errors-live"}}
		collector := evidence.Collector{Settings: settings, Alarms: states, Traffic: traffic}

		start := time.Now().Truncate(time.Minute)
		weigh := func(at time.Duration, weight int) sm.WeightChange {
			return sm.WeightChange{At: start.Add(at), Weight: weight}
		}
		record := sm.Record{
			Began: start.Add(-time.Minute), MutedAlarms: []string{"slow-a"},
			Weights: []sm.WeightChange{weigh(10*time.Second, 500),
				weigh(10*time.Minute+10*time.Second, 10000)},
			Wait: &sm.Wait{Since: start.Add(10*time.Minute + 10*time.Second)},
		}
		time.Sleep(time.Until(start.Add(15*time.Minute + 30*time.Second)))

		e, pace, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B}, record)
		if err != nil {
			t.Fatal(err)
		}

		if strings.Join(e.Ringing, " ") != "errors-a" || strings.Join(e.Muted, " ") != "slow-a" ||
			e.Level != 0.01 {
			t.Errorf("rings %v, muted %v, level %g", e.Ringing, e.Muted, e.Level)
		}

		promoted := record

		promoted.Promoted = &record.Began
		if after, _, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B},
			promoted); err != nil || strings.Join(after.Ringing, " ") != "errors-a errors-live" {
			t.Errorf("once events call it rings %v, %v", after.Ringing, err)
		}

		states.over = []string{"errors-a", "errors-live"}

		if after, _, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B},
			promoted); err != nil || strings.Join(after.Ringing, " ") != "errors-a" ||
			strings.Join(after.Muted, " ") != "slow-a errors-live" {
			t.Errorf("of what events called before rings %v, muted %v, %v", after.Ringing, after.Muted, err)
		}

		if !e.Ramp.Equal(start) || !e.Bake.Equal(start.Add(10*time.Minute)) {
			t.Errorf("the ramp began %s, the bake %s", e.Ramp, e.Bake)
		}

		if pace == nil || pace.Above != 300 || !pace.Since.Equal(start) {
			t.Fatalf("the pace is %+v", pace)
		}

		errors, latency, orders := e.Criteria[0], e.Criteria[1], e.Criteria[2]
		if n := len(errors.Periods); n != 75 { // the hour before, and the minutes that are over
			t.Errorf("%d periods", n)
		}

		shares := map[int][2]float64{59: {0, 0}, 60: {0, 0.05}, 61: {0, 0.05}, 62: {0.05, 0.05},
			69: {0.05, 0.05}, 70: {0.05, 1}, 72: {1, 1}}
		for i, want := range shares {
			if p := errors.Periods[i]; p.From != want[0] || p.To != want[1] || p.Active.Of != 50 ||
				p.Fallback.Events != 2 {
				t.Errorf("period %d is %+v, expected the shares %v", i, p, want)
			}
		}

		if errors.Margin != 0.001 || latency.Factor != 1.5 || latency.Excused != 2 ||
			latency.Periods[0].Active.Events != 9 || !latency.Periods[0].At.Equal(start) {
			t.Errorf("errors %+v, latency %+v", errors.Margin, latency)
		}

		if want := start.Add(12 * time.Minute); !orders.Counted.Equal(want) {
			t.Errorf("orders are taken for counted until %s, expected %s", orders.Counted, want)
		}

		if !orders.Fewer || math.Abs(orders.Factor-0.9) > 1e-9 ||
			orders.Periods[0].Fallback.Events != 40 || orders.Periods[0].Fallback.Of != 950 {
			t.Errorf("orders %+v", orders)
		}

		// Cancellations make a count negative, of which no rate can be made, nor a share.
		traffic["Orders Sum api-a"], traffic["Count Sum api-b"] = -3, -3

		if e, _, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B},
			record); err != nil || e.Criteria[2].Periods[0] != (release.Period{
			At: start.Add(-time.Hour), Active: release.Tally{Of: 50}, Fallback: release.Tally{Events: 40}}) {
			t.Errorf("less than none is %+v (%v)", e.Criteria[2].Periods[0], err)
		}

		// What is slow was said once, and stays.
		record.Pace = &sm.Pace{Above: 500, Since: start}
		if _, pace, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B},
			record); err != nil || pace.Above != 500 {
			t.Errorf("got %+v, %v", pace, err)
		}
	})
}

// A call may always take 50 ms: a p90 below it must not make a call slow that nobody would notice, and
// one above it stays what it is.
func TestEvidence_Pace(t *testing.T) {
	for name, c := range map[string]struct{ p90, above float64 }{
		"imperceptible":  {20, 50},
		"at the floor":   {50, 50},
		"above it":       {51, 51},
		"without a call": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			settings := sm.Settings{
				MetricPeriod: sm.Duration(time.Minute), Verdict: sm.VerdictPlan{Slow: 15},
			}
			collector := evidence.Collector{
				Settings: settings, Alarms: &alarms{},
				Traffic: counted{"Latency p90 api-b": c.p90, "Count Sum api-a": 1},
			}

			found, pace, err := collector.Evidence(t.Context(),
				sm.Document{Active: sm.A, Fallback: sm.B}, sm.Record{Began: time.Now()})
			if err != nil {
				t.Fatal(err)
			}

			if c.above == 0 {
				if pace != nil || len(found.Criteria) != 1 {
					t.Errorf("found the pace %+v and %d criteria, expected no pace", pace, len(found.Criteria))
				}

				return
			}

			if pace == nil || pace.Above != c.above {
				t.Errorf("found %+v, expected calls above %g ms to be slow", pace, c.above)
			}
		})
	}
}

// The first pace is kept: what counts as slow does not change while a release ramps.
func TestEvidence_PaceOfTheRecord(t *testing.T) {
	kept := &sm.Pace{Above: 120, Since: time.Now().Add(-time.Hour)}
	collector := evidence.Collector{
		Settings: sm.Settings{
			MetricPeriod: sm.Duration(time.Minute), Verdict: sm.VerdictPlan{Slow: 15},
		},
		Alarms: &alarms{}, Traffic: counted{"Latency p90 api-b": 300},
	}

	_, pace, err := collector.Evidence(t.Context(), sm.Document{Active: sm.A, Fallback: sm.B},
		sm.Record{Began: time.Now(), Pace: kept})
	if err != nil || pace != kept {
		t.Errorf("found %+v, %v, expected the record's", pace, err)
	}
}
