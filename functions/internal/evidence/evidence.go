// Package evidence gathers what alarms and metrics say of a release. It decides nothing:
// release.Judge does.
package evidence

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// AlarmStates tells which of the named alarms ring.
type AlarmStates interface {
	Ringing(ctx context.Context, names []string) ([]string, error)
	// Breached tells whether any datapoint of an alarm, from the one that a time lies in on, is beyond
	// its threshold.
	Breached(ctx context.Context, name string, since time.Time) (bool, error)
}

// metricLag is how many periods metrics come late: on AWS one to three minutes.
const MetricLag = 3

// Traffic counts what happens in an environment.
type Traffic interface {
	Calls(ctx context.Context, e sm.Environment, since, until time.Time) (requests, errors float64,
		err error)
	// Counts gives each series' values by the Unix time at which their period starts; a period without
	// data has none.
	Counts(ctx context.Context, series []sm.Series, period time.Duration, since,
		until time.Time) ([]map[int64]float64, error)
}

// before is how much of the time before the ramp is looked at: it says what is slow, and what the
// fallback's calls were like when active has all of them.
const Baseline = time.Hour

// imperceptible is how many milliseconds a call may always take.
const imperceptible = 50

// Witness gathers what the alarms and the metrics say of a release. It changes nothing.
type Collector struct {
	Settings sm.Settings
	Alarms   AlarmStates
	Traffic  Traffic
}

// Evidence is everything since the ramp began. A pace that the record has none of yet is returned,
// to be kept.
func (w Collector) Evidence(ctx context.Context, doc sm.Document,
	record sm.Record) (release.Evidence, *sm.Pace, error) {
	now := time.Now()
	weights := record.Weights

	e := release.Evidence{Ramp: record.Began, Minimum: w.Settings.Ramp.MinimumRequests,
		Level: w.Settings.Verdict.FalseAlarms / 100}
	if len(weights) > 0 {
		e.Ramp = weights[0].At
	}

	period := release.Resolution(w.Settings.MetricPeriod.Std(), now.Sub(e.Ramp.Add(-Baseline)))
	e.Ramp = e.Ramp.Truncate(period)

	e.Bake = e.Ramp
	if record.Wait != nil {
		e.Bake = record.Wait.Since.Truncate(period)
	}

	if w.Settings.Ramp.HarmBudget > 0 {
		e.Bake = w.knownFrom(weights, e.Ramp)
	}

	ringing, err := w.Alarms.Ringing(ctx, w.Settings.AlarmNames(Judging(doc.Active, record)...))
	if err != nil {
		return e, nil, fmt.Errorf("see which alarms ring: %w", err)
	}

	for _, name := range ringing {
		muted := slices.Contains(record.MutedAlarms, name)
		if !muted && slices.Contains(w.Settings.AlarmNames(sm.LiveAlias), name) {
			counts, err := w.Alarms.Breached(ctx, name, *record.Promoted)
			if err != nil {
				return e, nil, fmt.Errorf("see whether %s rings for what was after the promotion: %w", name,
					err)
			}

			muted = !counts
		}

		if muted {
			e.Muted = append(e.Muted, name)
		} else {
			e.Ringing = append(e.Ringing, name)
		}
	}

	pace, err := w.pace(ctx, doc, record, e.Ramp, now, period)
	if err != nil {
		return e, nil, err
	}

	looks := w.looks(pace, period)

	span := span{e.Ramp.Add(-Baseline), now.Truncate(period), period}
	if e.Criteria, err = w.compare(ctx, doc, looks, span, weights); err != nil {
		return e, nil, fmt.Errorf("compare %s with %s: %w", doc.Active, doc.Fallback, err)
	}

	return e, pace, nil
}

// judging are those whose alarms judge a release: active's and, once it is promoted, those of what
// events call.
func Judging(active sm.Environment, r sm.Record) []sm.Environment {
	if r.Promoted == nil {
		return []sm.Environment{active}
	}

	return []sm.Environment{active, sm.LiveAlias}
}

// knownFrom is since when calls count for the verdict of a ramp by harm budget, whose bakes are no
// longer than a look: since it began, and where everyone has the release since the last edge
// knows.
func (w Collector) knownFrom(weights []sm.WeightChange, ramp time.Time) time.Time {
	for _, set := range weights {
		if set.Weight == sm.FullWeight {
			return set.At.Add(w.Settings.EdgeConvergence.Std())
		}
	}

	return ramp
}

// span is a time in whole periods.
type span struct {
	from, to time.Time
	period   time.Duration
}

// look is a criterion and the series that it is made of.
type look struct {
	release.Criterion
	events, of sm.Series
	since      time.Time
}

// looks are all that is compared: what fails, what is slow, and what the team names.
func (w Collector) looks(pace *sm.Pace, period time.Duration) []look {
	plan, calls := w.Settings.Verdict, w.Settings.Calls("Count", "Sum")

	looks := []look{{Criterion: release.Errors(plan), events: w.Settings.Calls("5XXError", "Sum"),
		of: calls}}
	if pace != nil {
		looks = append(looks, look{Criterion: release.Latency(plan, pace.Above, len(w.Settings.Functions),
			period),
			events: w.Settings.Calls("Latency", fmt.Sprintf("TC(%.10g:)",
				pace.Above)), of: calls, since: pace.Since})
	}

	for _, m := range w.Settings.Metrics {
		l := look{Criterion: release.Criterion{Name: m.Name, Says: "%s " + m.Name + " of %s", Factor: 1 +
			m.Tolerance/100, Drift: 3}, events: m.Events, of: m.Of}
		if m.Better == sm.Higher {
			l.Fewer, l.Factor = true, 1-m.Tolerance/100
		}

		if m.Of.Metric == "" {
			l.of, l.Says = calls, "%s "+m.Name+" in %s calls"
		}

		looks = append(looks, l)
	}

	return looks
}

// compare counts in both environments.
func (w Collector) compare(ctx context.Context, doc sm.Document, looks []look, s span,
	weights []sm.WeightChange) ([]release.Criterion, error) {
	var series []sm.Series

	for _, l := range looks {
		for _, e := range []sm.Environment{doc.Active, doc.Fallback} {
			series = append(series, l.events.In(e), l.of.In(e))
		}
	}

	counts, err := w.Traffic.Counts(ctx, series, s.period, s.from, s.to)
	if err != nil {
		return nil, err
	}

	var criteria []release.Criterion

	for i, l := range looks {
		c := counts[4*i:]

		l.Counted = s.to.Add(-MetricLag * s.period)
		for at := s.from; at.Before(s.to); at = at.Add(s.period) {
			if at.Before(l.since) {
				continue
			}

			t := at.Unix()

			p := release.Period{At: at, Active: tally(c[0][t], c[1][t]), Fallback: tally(c[2][t], c[3][t]),
				From: Share(weights, at.Add(-w.Settings.EdgeConvergence.Std())), To: Share(weights,
					at.Add(s.period))}
			if p.Active.Of > 0 || p.Fallback.Of > 0 {
				l.Periods = append(l.Periods, p)
			}
		}

		criteria = append(criteria, l.Criterion)
	}

	return criteria, nil
}

// tally takes less than none for none: what a team counts may be taken back.
func tally(events, of float64) release.Tally {
	return release.Tally{Events: max(0, events), Of: max(0, of)}
}

// pace is what counts as slow: what the record says, or else what nine of ten calls of the
// fallback took less than before the ramp; where it had none then, before now.
func (w Collector) pace(ctx context.Context, doc sm.Document, record sm.Record, ramp, now time.Time,
	period time.Duration) (*sm.Pace, error) {
	if record.Pace != nil || w.Settings.Verdict.Slow == 0 {
		return record.Pace, nil
	}

	for _, until := range []time.Time{ramp, now.Truncate(period)} {
		counts, err := w.Traffic.Counts(ctx, []sm.Series{w.Settings.Calls("Latency",
			"p90").In(doc.Fallback)}, period, until.Add(-Baseline), until)
		if err != nil {
			return nil, fmt.Errorf("see how long the calls of %s take: %w", doc.Fallback, err)
		}

		if above := release.Middle(counts[0]); above > 0 {
			return &sm.Pace{Above: max(above, imperceptible), Since: until}, nil
		}
	}

	return nil, nil
}

// share is the share of the viewers that active had by the ramp's word at a time.
func Share(weights []sm.WeightChange, at time.Time) float64 {
	for _, w := range slices.Backward(weights) {
		if !w.At.After(at) {
			return float64(w.Weight) / sm.FullWeight
		}
	}

	return 0
}
