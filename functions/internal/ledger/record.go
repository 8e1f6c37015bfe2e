package ledger

import (
	"context"
	"time"

	sm "lockstep/statemachine"
)

// Enter is how every step begins: the lock is still ours, and whoever was called before writes no more; the record says which step
// it is.
func (b Ledger) Enter(ctx context.Context, doc sm.Document, task sm.Task) (sm.Record, error) {
	lock, err := b.UpdateLock(ctx, func(l *sm.Lock) error {
		err := stillHeld(*l, doc)
		if err == nil {
			l.Holder.Attempt = doc.Attempt
		}
		return err
	})
	if err != nil {
		return sm.Record{}, err
	}
	return b.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.Execution == "" {
			*r = ReopenedRecord(doc, *r, lock.Holder.Since)
			// An earlier call may have passed it.
			r.Contracted = task == sm.Contract && (doc.Attempt.Retry > 0 || doc.Next == sm.NextContract)
			// An alarm may have been among what is gone.
			if task != sm.Contract && task != sm.Rollback {
				r.Signals = []sm.ReceivedSignal{{ID: "gone", Kind: sm.SignalRollback, At: time.Now().UTC(),
					Reason: sm.RecordKey(doc.Release) + " was gone, and with it what alarms and people had said"}}
			}
		}
		r.State, r.StaleWriter = task, r.StaleWriter || doc.Attempt.Retry > 0
		if task != sm.Ramp && task != sm.Drain { // which know themselves what holds them
			r.Held = nil
		}
		return nil
	})
}

// Update changes the release's record. A record with a newer fence belongs to a successor: LockLost.
func (b Ledger) UpdateRecord(ctx context.Context, doc sm.Document, change func(*sm.Record) error) (sm.Record, error) {
	return Update(ctx, b.Store, sm.RecordKey(doc.Release), func(r *sm.Record) error {
		if r.Fence > doc.Fence {
			return sm.Errorf(sm.LockLost, "release %s: its record has the fence %d, ours is %d: stop writing", doc.Release, r.Fence, doc.Fence)
		}
		if err := VerifyAttempt(doc, r.LastAttempt); err != nil {
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

// Record reads the release's record; one that does not exist is empty.
func (b Ledger) Record(ctx context.Context, releaseID string) (sm.Record, error) {
	var r sm.Record
	_, err := b.Store.Get(ctx, sm.RecordKey(releaseID), &r)
	return r, err
}
