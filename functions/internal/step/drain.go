package step

import (
	"context"
	"fmt"
	"math"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Drain finds out whether anyone still calls the old environment: tabs that were open before the
// promotion, and edge locations that have not heard of it. It writes the record and nothing else;
// the machine waits and calls it again.
//
// Until contract there is a way back, so it judges active as CheckAlarms does, now against what
// the fallback had counted before: many a fault begins only when everyone has the release. It
// returns AlarmBreached, Regression and OperatorRollback.
type Drain struct {
	Ledger ledger.Ledger
	evidence.Collector
}

// longestPause bounds how long a word of the operator can lie unread while the machine waits,
// unless the drain may take more than a day.
const longestPause = time.Minute

// Run says in the document whether the old environment has drained, and else how long to wait.
func (d *Drain) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := d.Ledger.Enter(ctx, doc, sm.Drain)
	if err != nil {
		return doc, err
	}

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	if record.Promoted == nil {
		return doc, fmt.Errorf("drain %s: the record of %s does not say when it was promoted",
			doc.Fallback, doc.Release)
	}

	look := d.lookAt(record)

	requests, err := d.measure(ctx, doc, record, look)
	if err != nil && !(withoutMetrics(err) && look.since < look.atMost) {
		return doc, err
	}

	why := ""
	if err == nil {
		why = d.drained(doc, look, requests)
	}

	doc.WaitSeconds = int(math.Ceil(look.pause.Seconds()))

	return d.record(ctx, doc, record, why, err)
}

// look is the time that one look at the old environment is about.
type look struct {
	since  time.Duration // the promotion
	atMost time.Duration // that the drain may take, its hold included
	quiet  time.Duration // that nobody may have called it
	lag    time.Duration // of the metrics: quiet is what was quiet before it
	pause  time.Duration // until the next look
}

// lookAt computes the times. Nobody calls the environment only once the last call has ended, so
// quiet is as long as a call may take. An execution's history has 25,000 events, of which a ramp
// may have taken nearly half: a drain that may take weeks looks less often.
func (d *Drain) lookAt(record sm.Record) look {
	plan := d.Settings.Drain
	l := look{
		since: time.Since(*record.Promoted), atMost: plan.AtMost.Std(),
		quiet: max(plan.Quiet, d.Settings.CallTimeout).Std(),
		lag:   evidence.MetricLag * d.Settings.MetricPeriod.Std(),
	}

	if plan.Then == sm.ThenHold {
		l.atMost += plan.HoldAtMost.Std()
	}

	l.pause = min(max(plan.Quiet.Std()/2, l.since/10, time.Second), max(longestPause, l.atMost/1440))

	return l
}

// withoutMetrics tells whether an error says nothing of the release: the metrics cannot be read.
func withoutMetrics(err error) bool {
	return sm.Name(err) == "" || sm.Name(err) == sm.Throttled
}

// measure judges active, and counts the calls of the old environment.
func (d *Drain) measure(
	ctx context.Context, doc sm.Document, record sm.Record, l look,
) (requests float64, err error) {
	if err := d.judge(ctx, doc, record); err != nil {
		return 0, err
	}

	now := time.Now()

	requests, _, err = d.Traffic.Calls(ctx, doc.Fallback, now.Add(-l.quiet-l.lag), now)
	if err != nil {
		return 0, fmt.Errorf("count the calls of %s: %w", doc.Fallback, err)
	}

	return requests, nil
}

func (d *Drain) judge(ctx context.Context, doc sm.Document, record sm.Record) error {
	if doc.First {
		return nil
	}

	found, _, err := d.Evidence(ctx, doc, record)
	if err != nil {
		return err
	}

	if j := release.Judge(found); j.Verdict == sm.Breached {
		return sm.Errorf(j.Breach(), "%s", j.Why)
	}

	return nil
}

// drained says why the old environment counts as drained; "" where it does not.
func (d *Drain) drained(doc sm.Document, l look, requests float64) string {
	switch {
	case l.since < d.Settings.EdgeConvergence.Std(): // some edges still go by the old route
		return ""
	case doc.First:
		return fmt.Sprintf("nobody ever called %s", doc.Fallback)
	case l.since < l.quiet+l.lag:
		return ""
	case requests == 0:
		return fmt.Sprintf("%s has been quiet for %s", doc.Fallback, sm.Duration(l.quiet))
	case l.since >= d.Settings.Drain.AtMost.Std():
		return fmt.Sprintf("%s was still called %.0f times in the last %s, but %s have passed",
			doc.Fallback, requests, sm.Duration(l.quiet), d.Settings.Drain.AtMost)
	}

	return ""
}

// record writes what was found: the end of the drain, a hold, or, once, that metrics cannot be
// read.
func (d *Drain) record(
	ctx context.Context, doc sm.Document, record sm.Record, why string, noMetrics error,
) (sm.Document, error) {
	event, held := sm.Event{State: sm.Drain}, d.hold(doc, record, why)
	doc.Drained = why != "" && held == nil

	switch n := len(record.Events); {
	case held != nil && record.HeldBy() == sm.HeldByDrain:
		return doc, nil
	case held != nil:
		event.Kind, event.Text = sm.EventHeld, held.Why
	case doc.Drained:
		event.Kind, event.Text = sm.EventDrained, why
	case noMetrics != nil && (n == 0 || record.Events[n-1].Kind != sm.EventNoMetrics):
		event.Kind = sm.EventNoMetrics
		event.Text = "cannot read the metrics, trying again: " + noMetrics.Error()
		_, err := d.Ledger.Append(ctx, doc, event)

		return doc, err
	default:
		return doc, nil
	}

	_, err := d.Ledger.Append(ctx, doc, event, func(r *sm.Record) { r.Held = held })

	return doc, err
}

// hold keeps the way back open until the operator's word, or for as long as the plan says. An
// environment that has drained once stays so, whoever calls it meanwhile.
func (d *Drain) hold(doc sm.Document, record sm.Record, why string) *sm.Held {
	_, word := record.LastSignal(sm.SignalContract)
	if d.Settings.Drain.Then != sm.ThenHold || doc.First || word {
		return nil
	}

	now := time.Now().UTC()

	if record.HeldBy() == sm.HeldByDrain {
		if !now.Before(*record.Held.Until) {
			return nil
		}

		return record.Held
	}

	if why == "" {
		return nil
	}

	until := now.Add(d.Settings.Drain.HoldAtMost.Std())
	why += "; unless told otherwise it contracts on " + until.Format("Mon 2 Jan 15:04 MST")

	return &sm.Held{By: sm.HeldByDrain, Why: why, Since: now, Until: &until}
}
