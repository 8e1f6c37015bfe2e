package ledger

import (
	"context"
	"fmt"
	"time"

	sm "lockstep/statemachine"
)

// Lease is the right of one attempt to write for a release. An execution has it while it holds the
// lock under its fencing token, and of its attempts only the newest. StopExecution ends no Lambda,
// and neither does a timeout: a stale writer may wake up when the environment belongs to somebody
// else.
//
// There are three ways to write, by what the other side can refuse:
//
//   - A conditional write reads its condition first, then calls Verify, then writes. If somebody
//     changed the target in between, the condition fails, so no time bound is needed.
//   - A write without a condition goes through Guard: it happens soon after Verify or not at all.
//   - A successor waits until such a write can no longer arrive, with WaitOut, and then writes once
//     more.
type Lease struct {
	ledger Ledger
	doc    sm.Document
}

// bound is how long a Verify is good for a write that has no condition.
const bound = 10 * time.Second

// Lease is that of the attempt that the document was handed to.
func (l Ledger) Lease(doc sm.Document) Lease { return Lease{ledger: l, doc: doc} }

// Verify makes sure that the execution still holds the lock under its fencing token, LockLost if
// not, and that the machine has made no newer attempt, StaleWrite if so. Adapters with a
// conditional write call it between reading their condition and the write.
func (l Lease) Verify(ctx context.Context) error {
	lock, err := l.ledger.Lock(ctx)
	if err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}

	return l.verify(lock)
}

func (l Lease) verify(lock sm.Lock) error {
	if lock.Holder == nil || lock.Holder.Execution != l.doc.Execution || lock.Fence != l.doc.Fence {
		return sm.Errorf(sm.LockLost,
			"release %s: %s is no longer the lease holder (fencing token %d, now %d): stop writing",
			l.doc.Release, l.doc.Execution, l.doc.Fence, lock.Fence)
	}

	return l.VerifyAttempt(lock.Holder.Attempt)
}

// VerifyAttempt is StaleWrite where the machine has made a newer attempt than this one. An
// execution that began before attempts were numbered has none to compare.
func (l Lease) VerifyAttempt(newest sm.Attempt) error {
	if !l.doc.Attempt.Entered.IsZero() && l.doc.Attempt.Before(newest) {
		return sm.Errorf(sm.StaleWrite, "release %s: superseded by a newer attempt of %s: stop writing",
			l.doc.Release, l.doc.Execution)
	}

	return nil
}

// Guard makes a write that has no condition of its own: it verifies the lease and gives the write
// no longer than the bound. A process that stood still in between gives the write up with
// Throttled, and the machine calls it again.
func (l Lease) Guard(ctx context.Context, write func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, bound)
	defer cancel()

	err := l.Verify(bounded)
	if err == nil {
		err = write(bounded)
	}

	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return sm.Errorf(sm.Throttled, "not done within %s of verifying the lease: %w", bound, err)
	}

	return err
}

// GuardGrowth makes a conditional write that gives active more viewers. It is bounded as in Guard,
// and verify also refuses where a signal arrived that ends the release: else a write that stood
// still would overtake the alarm that came meanwhile.
func (l Lease) GuardGrowth(ctx context.Context,
	write func(ctx context.Context, verify func(context.Context) error) error,
) error {
	return l.Guard(ctx, func(ctx context.Context) error {
		return write(ctx, func(ctx context.Context) error {
			if err := l.Verify(ctx); err != nil {
				return err
			}

			record, err := l.ledger.Record(ctx, l.doc.Release)
			if err != nil {
				return err
			}

			return Interruption(record)
		})
	})
}

// WaitOut waits until no write can arrive any more whose lease was verified before a time. The
// second bound is for what is on its way.
func (l Lease) WaitOut(ctx context.Context, verifiedBefore time.Time) error {
	select {
	case <-ctx.Done():
		return sm.Errorf(sm.Throttled, "wait out the previous attempt of %s: %w", l.doc.Release,
			ctx.Err())
	case <-time.After(time.Until(verifiedBefore.Add(2 * bound))):
		return nil
	}
}

// WaitOutPrevious waits out the previous attempt where this one is a retry: the previous one may
// still write what has no condition.
func (l Lease) WaitOutPrevious(ctx context.Context) error {
	if l.doc.Attempt.Retry == 0 {
		return nil
	}

	return l.WaitOut(ctx, time.Now())
}

// SchemaToken is the fencing token under which this attempt changes the database. A rollback's is
// greater than that of the release it undoes, whose attempt may still be at work.
func (l Lease) SchemaToken() int64 {
	if l.doc.Outcome == sm.RolledBack {
		return 2*l.doc.Fence + 1
	}

	return 2 * l.doc.Fence
}

// Mark is what a rollback writes into every alias where a stale writer may still be about to move
// one, so that its condition fails. It is empty for a release that nobody gave up on.
func (l Lease) Mark() string {
	if !l.doc.StaleWriter {
		return ""
	}

	return fmt.Sprintf("rolled back from %s under fencing token %d", l.doc.Release, l.doc.Fence)
}
