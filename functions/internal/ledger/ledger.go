// Package ledger keeps what Lockstep knows of its releases: the lock with its lease and queue, one record
// per release with its events, and what each environment carries. Every object is JSON in the state
// bucket and changes only by a conditional write. It knows no AWS SDK: an adapter is the Store.
package ledger

import (
	"context"

	sm "lockstep/statemachine"
)

// Bus announces what happens, so that Slack, e-mail or a pager need only a rule.
type Bus interface {
	Announce(ctx context.Context, change sm.StateChange) error
}

// Book is the ledger as the steps use it: records that only the holder of the lock writes, and whose
// every line is announced.
type Ledger struct {
	App   string
	Store Store
	Bus   Bus
	Queue sm.QueuePolicy
}

// Lock changes the lock, and returns it as it then is.
func (b Ledger) UpdateLock(ctx context.Context, change func(*sm.Lock) error) (sm.Lock, error) {
	return Update(ctx, b.Store, sm.LockKey, change)
}
