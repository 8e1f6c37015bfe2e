// Package ledger keeps what Lockstep knows of its releases: the lock with its queue, one record
// per release with its event history, and the state of each environment. Every object is JSON in
// the state bucket and changes only by a conditional write. It knows no AWS SDK: an adapter is the
// Store.
package ledger

import (
	"context"

	sm "lockstep/statemachine"
)

// Bus announces what happens, so that Slack, e-mail or a pager need only a rule.
type Bus interface {
	// Announce puts one event on the bus; Throttled where the bus is busy.
	Announce(ctx context.Context, change sm.StateChange) error
}

// Ledger is what the steps read and write. The lease holder alone changes what a release is about:
// its record, the environments. Signal, Recover and whoever waits in the queue write too, but only
// what they received, under the fencing token that they found.
type Ledger struct {
	App   string
	Store Store
	Bus   Bus
	Queue sm.QueuePolicy
}

// Lock reads the lock; one that does not exist has the fencing token 0 and no holder.
func (l Ledger) Lock(ctx context.Context) (sm.Lock, error) {
	var lock sm.Lock
	_, err := l.Store.Get(ctx, sm.LockKey, &lock)

	return lock, err
}

// UpdateLock changes the lock, and returns it as it then is. StaleWrite where others keep changing
// it.
func (l Ledger) UpdateLock(ctx context.Context, change func(*sm.Lock) error) (sm.Lock, error) {
	return Update(ctx, l.Store, sm.LockKey, change)
}

// Record reads the release's record; one that does not exist is empty.
func (l Ledger) Record(ctx context.Context, releaseID string) (sm.Record, error) {
	var record sm.Record

	_, err := l.Store.Get(ctx, sm.RecordKey(releaseID), &record)

	return record, err
}
