package ledger

import (
	"context"
	"fmt"
	"time"

	sm "lockstep/statemachine"
)

// Append adds an event to the release's history, with whatever change to the record goes with it,
// and announces it. Appended twice in a row, it is recorded once and announced again: events may
// double.
func (l Ledger) Append(ctx context.Context, doc sm.Document, event sm.Event,
	changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := l.Save(ctx, doc, event, changes...)
	if err != nil {
		return record, err
	}

	return record, l.Announce(ctx, record, doc, event)
}

// Save is Append without the announcement.
func (l Ledger) Save(ctx context.Context, doc sm.Document, event sm.Event,
	changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := l.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		// Of a record that is not open for this execution yet, the fencing token keeps nobody out.
		if r.Execution != doc.Execution {
			if err := l.Lease(doc).Verify(ctx); err != nil {
				return err
			}
		}

		for _, change := range changes {
			change(r)
		}

		if n := len(r.Events); n > 0 && r.Events[n-1].Same(event) {
			return nil
		}

		weight := r.Weight
		event.At, event.Weight = time.Now().UTC(), &weight
		r.Events = append(r.Events, event)

		return nil
	})
	if err != nil {
		return record, fmt.Errorf("record %q: %w", event.Text, err)
	}

	return record, nil
}

// Announce puts an event on the bus, with what the record says of the release.
func (l Ledger) Announce(ctx context.Context, record sm.Record, doc sm.Document,
	event sm.Event) error {
	return l.Bus.Announce(ctx, sm.StateChange{
		App: l.App, Release: doc.Release, Execution: doc.Execution,
		State: event.State, Kind: event.Kind, Text: event.Text,
		Active: record.Active, Weight: record.Weight, Verdict: doc.Verdict,
		Held: record.HeldBy(), Hotfix: record.Hotfix, Outcome: record.Outcome, Cause: record.Cause,
		Notice: notice(record, doc, event),
	})
}
