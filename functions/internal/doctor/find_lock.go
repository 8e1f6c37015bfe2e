package doctor

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	sm "lockstep/statemachine"
)

const (
	// LockBehind is a lock whose fencing token is lower than one that was written under.
	LockBehind sm.FindingKind = "lockBehind"
	// LockHeldByDead is a lock that a dead execution holds.
	LockHeldByDead sm.FindingKind = "lockHeldByDead"
)

// lostTokens is how much greater than any known one the fencing token of a recreated lock is:
// whoever died before it had a record, and repairs, had some that nothing tells of.
const lostTokens = 1000

// lockFinder finds a lock that nobody can take, or that a dead execution holds.
type lockFinder struct {
	ledger ledger.Ledger
	chain  recovery.Chain
}

func (f lockFinder) find(ctx context.Context, v *view) ([]finding, error) {
	if v.lock.Fence < v.newest {
		return []finding{f.behind(v)}, nil
	}

	if v.lock.Holder == nil || f.chain.Fresh(*v.lock.Holder) {
		return nil, nil
	}

	last, err := f.chain.Last(ctx, v.lock)
	if err != nil || last.State.Running {
		return nil, err
	}

	state := "has ended: " + last.State.Status + " " + last.State.Error
	if last.State == (machine.Execution{}) {
		state = "does not exist"
	}

	lock := v.lock

	return []finding{{alone: true, Finding: sm.Finding{
		Kind: LockHeldByDead, Subject: lock.Holder.Release,
		Text: fmt.Sprintf("the lock is held for %s by %s, which %s",
			lock.Holder.Release, last.Execution, state),
		Repair: "start another execution, which takes the lease over, and rolls back, " +
			"or forward from contract on; then run doctor again",
	}, repair: func(ctx context.Context, _ sm.Document) error {
		return f.chain.Again(ctx, lock, last.Execution)
	}}}, nil
}

// behind recreates the lock. A release that has not ended, and that nobody took the lease from
// since, has it again; else it is unheld.
func (f lockFinder) behind(v *view) finding {
	recreated, repair := sm.Lock{Fence: v.newest + lostTokens}, "recreate the lock, unheld, "+
		"with a higher fencing token"

	last := v.last()
	if v.lock.Holder == nil && last.Ended == nil && last.Fence > 0 && last.Fence == v.newest {
		recreated = v.lock
		recreated.Fence = last.Fence
		recreated.Holder = &sm.Holder{
			Release: last.Release, Sequence: last.Sequence, Execution: last.Execution, Fence: last.Fence,
			Since: time.Now().UTC(), Attempt: last.LastAttempt,
		}
		repair = "recreate the lock, held by " + last.Execution + ", which has not ended"
	}

	return finding{alone: true, hides: true, Finding: sm.Finding{
		Kind: LockBehind, Subject: sm.LockKey,
		Text: fmt.Sprintf("%s has fencing token %d, but the ledger was written under %d",
			sm.LockKey, v.lock.Fence, v.newest),
		Repair: repair,
	}, repair: func(ctx context.Context, _ sm.Document) error {
		_, err := f.ledger.UpdateLock(ctx, func(l *sm.Lock) error {
			if l.Fence >= recreated.Fence {
				return sm.Errorf(sm.StaleWrite, "the lock changed meanwhile; run doctor again")
			}

			revision := l.Revision
			*l = recreated
			l.Revision = revision

			return nil
		})

		return err
	}}
}
