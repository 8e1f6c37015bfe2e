package ledger

import (
	"context"
	"errors"

	sm "lockstep/statemachine"
)

// Enter is how every step begins. It verifies the lease and makes this attempt the newest, so that
// a previous one writes no more, and the record says which step the release is in.
func (l Ledger) Enter(ctx context.Context, doc sm.Document, task sm.Task) (sm.Record, error) {
	_, err := l.UpdateLock(ctx, func(lock *sm.Lock) error {
		err := l.Lease(doc).verify(*lock)
		if err == nil {
			lock.Holder.Attempt = doc.Attempt
		}

		return err
	})
	if err != nil {
		return sm.Record{}, err
	}

	return l.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.Execution == "" { // Begin opened it, so every version of it was deleted
			return sm.Corrupt(sm.RecordKey(doc.Release),
				errors.New("missing, with every previous version; restore it from a backup"))
		}

		r.State, r.StaleWriter = task, r.StaleWriter || doc.Attempt.Retry > 0

		if task != sm.Ramp && task != sm.Drain { // these know themselves what holds them
			r.Held = nil
		}

		return nil
	})
}

// UpdateRecord changes the release's record. A record with a greater fencing token belongs to a
// successor: LockLost. One that a newer attempt wrote is StaleWrite.
func (l Ledger) UpdateRecord(ctx context.Context, doc sm.Document,
	change func(*sm.Record) error) (sm.Record, error) {
	return Update(ctx, l.Store, sm.RecordKey(doc.Release), func(r *sm.Record) error {
		if r.Fence > doc.Fence {
			return sm.Errorf(sm.LockLost, "release %s: its record has the fencing token %d, this attempt "+
				"%d: stop writing",
				doc.Release, r.Fence, doc.Fence)
		}

		if err := l.Lease(doc).VerifyAttempt(r.LastAttempt); err != nil {
			return err
		}

		if err := change(r); err != nil {
			return err
		}

		if !doc.Attempt.Entered.IsZero() {
			r.LastAttempt = doc.Attempt
		}

		return nil
	})
}
