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

// Drain looks whether anyone still calls the old environment: tabs that were open before the
// promotion, and edge locations that have not heard of it. It changes nothing; the machine waits
// and asks again. It returns AlarmBreached and OperatorRollback: until contract there is a way
// back. It judges active as CheckAlarms does, since many a fault begins only when everyone has it;
// now against what the fallback had counted before.
type Drain struct {
	Ledger ledger.Ledger
	evidence.Collector
}

// longestLook bounds how long a word of the operator can lie unread while the machine waits,
// unless the drain may take more than a day.
const longestLook = time.Minute

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

	now, plan := time.Now(), d.Settings.Drain
	since := now.Sub(*record.Promoted)
	// What the metrics will say of the last minutes they do not say yet: quiet is what was quiet
	// before those.
	lag := evidence.MetricLag * d.Settings.MetricPeriod.Std()
	// Nobody calls it while the last call is still at work, whatever called it.
	quiet := max(plan.Quiet, d.Settings.CallTimeout)

	whole := plan.AtMost
	if plan.Then == sm.ThenHold {
		whole += plan.HoldAtMost
	}

	requests, err := d.look(ctx, doc, record, now.Add(-quiet.Std()-lag))

	blind := err != nil && (sm.Name(err) == "" || sm.Name(err) == sm.Throttled)
	if err != nil && !(blind && since < whole.Std()) {
		return doc, err
	}

	var text string

	switch {
	case blind: // An outage of the metrics says nothing of the release; alarms that ring are told all the same.
	case since < d.Settings.EdgeConvergence.Std():
		// Some edges still go by the old route: nothing is quiet yet that they may call.
	case doc.First:
		text = fmt.Sprintf("nobody ever called %s", doc.Fallback)
	case since < quiet.Std()+lag:
	case requests == 0:
		text = fmt.Sprintf("%s has been quiet for %s", doc.Fallback, quiet)
	case since >= plan.AtMost.Std():
		text = fmt.Sprintf("%s was still called %.0f times in the last %s, but %s have passed",
			doc.Fallback, requests, quiet, plan.AtMost)
	}

	doc.Drained = text != ""
	// A history has 25,000 events, of which a ramp may have taken nearly half: what may take weeks is
	// looked at less often.
	pause := min(max(plan.Quiet.Std()/2, since/10, time.Second), max(longestLook, whole.Std()/1440))

	doc.WaitSeconds = int(math.Ceil(pause.Seconds()))
	if held := d.hold(doc, record, text); held != nil {
		doc.Drained = false
		if record.HeldBy() == sm.HeldByDrain {
			return doc, nil
		}

		_, err = d.Ledger.Append(ctx, doc, sm.Event{State: sm.Drain, Kind: sm.EventHeld, Text: held.Why},
			func(r *sm.Record) { r.Held = held })

		return doc, err
	}

	if doc.Drained {
		_, err = d.Ledger.Append(ctx, doc, sm.Event{State: sm.Drain, Kind: sm.EventDrained, Text: text},
			func(r *sm.Record) { r.Held = nil })

		return doc, err
	}

	if n := len(record.Events); blind && (n == 0 || record.Events[n-1].Kind != sm.EventNoMetrics) {
		_, err = d.Ledger.Append(ctx, doc, sm.Event{State: sm.Drain, Kind: sm.EventNoMetrics,
			Text: "cannot read the metrics, trying again: " + err.Error()})

		return doc, err
	}

	return doc, nil
}

// look judges active, and counts the calls of the fallback.
func (d *Drain) look(ctx context.Context, doc sm.Document, record sm.Record,
	from time.Time) (requests float64, err error) {
	if err := d.judge(ctx, doc, record); err != nil {
		return 0, err
	}

	if requests, _, err = d.Traffic.Calls(ctx, doc.Fallback, from, time.Now()); err != nil {
		return 0, fmt.Errorf("count the calls of %s: %w", doc.Fallback, err)
	}

	return requests, nil
}

func (d *Drain) judge(ctx context.Context, doc sm.Document, record sm.Record) error {
	if doc.First {
		return nil
	}

	evidence, _, err := d.Evidence(ctx, doc, record)
	if err != nil {
		return err
	}

	if j := release.Judge(evidence); j.Verdict == sm.Breached {
		return sm.Errorf(j.Breach(), "%s", j.Why)
	}

	return nil
}

// hold keeps the way back open until the operator's word, or for as long as the plan says. What
// was left once stays left, whoever calls it meanwhile.
func (d *Drain) hold(doc sm.Document, record sm.Record, text string) *sm.Held {
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

	if text == "" {
		return nil
	}

	until := now.Add(d.Settings.Drain.HoldAtMost.Std())

	return &sm.Held{By: sm.HeldByDrain, Why: text + "; unless told otherwise it contracts on " +
		until.Format("Mon 2 Jan 15:04 MST"), Since: now, Until: &until}
}
