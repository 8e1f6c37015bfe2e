package step

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// endRecord writes the end of a release into its record.
type endRecord struct{ ledger ledger.Ledger }

// write returns the record with the end. A refusal or a superseded merge must not write over the
// record of an execution that got further: it is returned and announced, and not recorded.
func (e endRecord) write(ctx context.Context, doc sm.Document) (sm.Record, error) {
	unrecorded := sm.Record{
		Release: doc.Release, Outcome: doc.Outcome, Cause: doc.Failure.AsCause(sm.Record{}),
	}
	if !sm.ValidReleaseID(doc.Release) {
		return unrecorded, nil
	}

	now := time.Now().UTC()

	if doc.Fence > 0 {
		return e.ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
			end(r, doc, now)
			return nil
		})
	}

	other, err := e.otherExecution(ctx, doc)
	if err != nil || other {
		return unrecorded, err
	}

	record, err := ledger.Update(ctx, e.ledger.Store, sm.RecordKey(doc.Release),
		func(r *sm.Record) error {
			// The refusal of a copy of the merge gives way to what became of the merge.
			copied := r.Began.IsZero() && r.Outcome == sm.Refused && doc.Outcome == sm.Superseded
			if r.Execution == "" || r.Execution == doc.Execution || copied {
				end(r, doc, now)
			}

			return nil
		})
	if err == nil && record.Execution == doc.Execution {
		return record, nil
	}

	return unrecorded, err
}

// otherExecution tells whether another execution of the same release waits for the lock, or holds
// it and has not opened its record yet.
func (e endRecord) otherExecution(ctx context.Context, doc sm.Document) (bool, error) {
	lock, err := e.ledger.Lock(ctx)
	if err != nil {
		return false, err
	}

	if h := lock.Holder; h != nil && h.Release == doc.Release && h.Execution != doc.Execution {
		return true, nil
	}

	return slices.ContainsFunc(slices.Concat(lock.Queue, lock.Notified), func(q sm.QueueEntry) bool {
		return q.Release == doc.Release && q.Execution != doc.Execution
	}), nil
}

func end(r *sm.Record, doc sm.Document, now time.Time) {
	if r.Ended != nil && r.Execution == doc.Execution {
		return
	}

	r.Release, r.Sequence, r.Execution = doc.Release, doc.Sequence, doc.Execution
	r.State, r.Outcome, r.Cause = sm.Finish, doc.Outcome, doc.Failure.AsCause(*r)
	r.Ended, r.Wait, r.Weight = &now, nil, 0

	event := endEvent(doc)
	event.At, event.Weight = now, &r.Weight
	r.Events = append(r.Events, event)
}

// endEvent is the event that a release has ended.
func endEvent(doc sm.Document) sm.Event {
	return sm.Event{State: sm.Finish, Kind: sm.EventEnded, Text: endText(doc)}
}

func endText(doc sm.Document) string {
	cause := doc.Failure.Message()

	switch {
	case doc.Outcome == sm.Released && cause != "":
		return fmt.Sprintf("%s is released, but not contracted: %s", doc.Release, cause)
	case doc.Outcome == sm.Released:
		return fmt.Sprintf("%s is released", doc.Release)
	case doc.Release == "":
		return fmt.Sprintf("%s named no release and is %s: %s", doc.Execution, doc.Outcome, cause)
	}

	return fmt.Sprintf("%s is %s: %s", doc.Release, doc.Outcome, cause)
}
