package ledger

import (
	"context"
	"fmt"
	"time"

	sm "lockstep/statemachine"
)

// Hold makes sure that this execution still has the lock under its fence, LockLost if not, and that the machine has called for
// nothing else since, StaleWrite if so.
func (b Ledger) Hold(ctx context.Context, doc sm.Document) error {
	var lock sm.Lock
	if _, err := b.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}
	return stillHeld(lock, doc)
}

func stillHeld(lock sm.Lock, doc sm.Document) error {
	if lock.Holder == nil || lock.Holder.Execution != doc.Execution || lock.Fence != doc.Fence {
		return sm.Errorf(sm.LockLost, "release %s: the lock is no longer held by %s (fence %d, now %d): stop writing",
			doc.Release, doc.Execution, doc.Fence, lock.Fence)
	}
	return VerifyAttempt(doc, lock.Holder.Attempt)
}

// latest is StaleWrite where the machine has made another call since. An execution that began before steps were told when they are
// called says nothing of it.
func VerifyAttempt(doc sm.Document, last sm.Attempt) error {
	if !doc.Attempt.Entered.IsZero() && doc.Attempt.Before(last) {
		return sm.Errorf(sm.StaleWrite, "release %s: %s has called for something else since: stop writing", doc.Release, doc.Execution)
	}
	return nil
}

// holdFor is how long a look at the lock is good for a write that AWS has no condition for.
const holdFor = 10 * time.Second

// While makes a write that AWS has no condition for: soon after a look at the lock, or not at all. A process that stood still
// in between gives it up. Whoever takes a dead execution's lock over writes once more when that time has passed.
func (b Ledger) While(ctx context.Context, doc sm.Document, write func(context.Context) error) error {
	soon, cancel := context.WithTimeout(ctx, holdFor)
	defer cancel()
	err := b.Hold(soon, doc)
	if err == nil {
		err = write(soon)
	}
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return sm.Errorf(sm.Throttled, "not done within %s of a look at the lock: %w", holdFor, err)
	}
	return err
}

// Mine is Hold for whoever has a condition of its own to read first. A process may stand still anywhere and wake up
// when the lock is somebody else's: so the order is the condition, the lock, the write.
func (b Ledger) Mine(doc sm.Document) func(context.Context) error {
	return func(ctx context.Context) error { return b.Hold(ctx, doc) }
}

// Grows gives active more viewers by write, which asks mine right before: nothing that arrived forbids it, and no more than holdFor lies
// between that look and the write, else it would outrun what came while the process stood still.
func (b Ledger) Grows(ctx context.Context, doc sm.Document, write func(ctx context.Context, mine func(context.Context) error) error) error {
	return b.While(ctx, doc, func(ctx context.Context) error {
		return write(ctx, func(ctx context.Context) error {
			if err := b.Hold(ctx, doc); err != nil {
				return err
			}
			record, err := b.Record(ctx, doc.Release)
			if err != nil {
				return err
			}
			return Interruption(record)
		})
	})
}

// Outlast waits where this call was made again: the one before may have looked at the lock just before it lost it, and still write
// what AWS has no condition for.
func (b Ledger) Outlast(ctx context.Context, doc sm.Document) error {
	if doc.Attempt.Retry == 0 {
		return nil
	}
	return WaitOut(ctx, doc, time.Now())
}

// outlast waits until nobody writes any more who looked at the lock before a time: the second holdFor is for what is on its way.
func WaitOut(ctx context.Context, doc sm.Document, since time.Time) error {
	select {
	case <-ctx.Done():
		return sm.Errorf(sm.Throttled, "wait for what %s may still write: %w", doc.Release, ctx.Err())
	case <-time.After(time.Until(since.Add(2 * holdFor))):
		return nil
	}
}
