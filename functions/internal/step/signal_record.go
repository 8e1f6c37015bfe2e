package step

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// recordSignal records a signal that concerns the release and can still change it. Known is true
// also where the same event was recorded before.
func recordSignal(
	ctx context.Context, l ledger.Ledger, doc sm.Document, signal sm.ReceivedSignal,
	concerns func(sm.Record) bool,
) (record sm.Record, known bool, err error) {
	record, err = l.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		early, err := precedes(*r, doc, signal.At)
		if err != nil {
			return err
		}

		known = slices.ContainsFunc(r.Signals, func(s sm.ReceivedSignal) bool {
			return s.ID == signal.ID
		})
		if known || early || r.Ended != nil || r.Contracted || !concerns(*r) {
			return nil
		}

		if r.Wait != nil {
			signal.Bake = r.Wait.Schedule
		}

		if signal.Kind == sm.SignalApprove {
			signal.Step = r.Held.Step
		}

		known = true

		r.Signals = append(r.Signals, signal)

		// Events come out of order, and the last word is the one that was spoken last.
		slices.SortStableFunc(r.Signals, func(x, y sm.ReceivedSignal) int {
			return x.At.Compare(y.At)
		})

		return nil
	})
	if err != nil {
		return record, known, fmt.Errorf("record %s for %s: %w", signal.Kind, doc.Release, err)
	}

	return record, known, nil
}

// precedes tells whether an event is from before the release began, and was delivered late:
// EventBridge takes up to a day, and writes times to the second. It returns StaleWrite where the
// record is not open yet: the event must be delivered again.
func precedes(r sm.Record, doc sm.Document, at time.Time) (bool, error) {
	if r.Execution != doc.Execution {
		return false, sm.Errorf(sm.StaleWrite,
			"release %s: its record is not open yet for %s: deliver the event again",
			doc.Release, doc.Execution)
	}

	return at.Before(r.Began.Truncate(time.Second)), nil
}
