package ledger

import (
	"context"
	"fmt"
	"time"

	sm "lockstep/statemachine"
)

// Tell adds a line to the release's story, with whatever change to the record goes with it, and
// announces it. Told twice in a row, it is written once and announced again: events may double.
func (b Ledger) Tell(ctx context.Context, doc sm.Document, task sm.Task, text string, changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := b.Note(ctx, doc, task, text, changes...)
	if err != nil {
		return record, err
	}
	return record, b.Announce(ctx, record, doc, task, text)
}

// note is Tell without the announcement.
func (b Ledger) Note(ctx context.Context, doc sm.Document, task sm.Task, text string, changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := b.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.Execution != doc.Execution { // it is not open for us yet, and its fence keeps nobody out who lost the lock
			if err := b.Hold(ctx, doc); err != nil {
				return err
			}
		}
		for _, change := range changes {
			change(r)
		}
		if last := len(r.Events) - 1; last >= 0 && r.Events[last].State == task && r.Events[last].Text == text {
			return nil
		}
		weight := r.Weight
		r.Events = append(r.Events, sm.Event{At: time.Now().UTC(), State: task, Text: text, Weight: &weight})
		return nil
	})
	if err != nil {
		return record, fmt.Errorf("record %q: %w", text, err)
	}
	return record, nil
}

func (b Ledger) Announce(ctx context.Context, record sm.Record, doc sm.Document, task sm.Task, text string) error {
	return b.Bus.Announce(ctx, sm.StateChange{
		App: b.App, Release: doc.Release, Execution: doc.Execution, State: task, Text: text, Active: record.Active,
		Weight: record.Weight, Verdict: doc.Verdict, Held: HeldBy(record), Hotfix: record.Hotfix, Outcome: record.Outcome, Cause: record.Cause,
		Notice: notice(record, doc, task, text),
	})
}

func HeldBy(r sm.Record) sm.HeldBy {
	if r.Held == nil {
		return ""
	}
	return r.Held.By
}
