package step

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// settleQueue leaves the newest merge in the queue: the older ones are told that they are superseded,
// and, where the lock is free, the newest is told to ask for it again. A token is answered before its
// place in the queue is given up, so that whoever dies in between leaves nobody unanswered.
func settleQueue(ctx context.Context, book Book, answers Answers) error {
	lock := sm.Lock{}
	if _, err := book.Ledger.Get(ctx, sm.LockKey, &lock); err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	for len(lock.Queue) > 0 {
		newest := slices.MaxFunc(lock.Queue, func(x, y sm.Parked) int { return cmp.Compare(x.Sequence, y.Sequence) })
		done := map[string]bool{} // by token: an execution that parks again has a new one
		for _, p := range lock.Queue {
			if p.Execution == newest.Execution {
				continue
			}
			doc := sm.Document{Execution: p.Execution, Release: p.Release, Sequence: p.Sequence, Next: sm.NextFinish, Outcome: sm.Superseded,
				Failure: &sm.Failure{Error: "Superseded", Cause: fmt.Sprintf("%s, which is newer, waits in its place", newest.Release)}}
			if _, err := answers.Succeed(ctx, p.TaskToken, doc); err != nil {
				return fmt.Errorf("tell %s that it is superseded: %w", p.Release, err)
			}
			done[p.TaskToken] = true
		}
		woken := false
		if lock.Holder == nil {
			again := sm.Document{Execution: newest.Execution, Release: newest.Release, Sequence: newest.Sequence, Next: sm.NextBegin}
			delivered, err := answers.Succeed(ctx, newest.TaskToken, again)
			if err != nil {
				return fmt.Errorf("wake %s: %w", newest.Release, err)
			}
			// Undelivered, it is dead or was woken already; either way its place is free for the next.
			done[newest.TaskToken], woken = true, delivered
		}
		if len(done) == 0 {
			return nil
		}
		left, err := book.Lock(ctx, func(l *sm.Lock) error {
			l.Queue = slices.DeleteFunc(l.Queue, func(p sm.Parked) bool { return done[p.TaskToken] })
			return nil
		})
		if err != nil || woken {
			return err
		}
		lock = left
	}
	return nil
}
