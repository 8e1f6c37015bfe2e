package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lockstep/functions/internal/machine"
	sm "lockstep/statemachine"
)

// turn tells whether a release may take the lock that it found free: where all wait in turn, only before those
// that have waited for it, and never before a hotfix that waits.
func (b Ledger) HasTurn(lock sm.Lock, sequence int64, hotfix bool) bool {
	return !slices.ContainsFunc(lock.Queue, func(p sm.QueueEntry) bool {
		return p.Hotfix && !hotfix || p.Hotfix == hotfix && b.Queue == sm.InTurn && p.Sequence < sequence
	})
}

// settleQueue tells those who wait what to do. Where the newest supersedes, the older ones are told that they are
// superseded: every one in the queue was checked to the last digest before it got there, so none gives way to a
// release that could not be made. A hotfix goes first, and what is newer than it stays behind it. Where the lock is
// free whose turn it is is told to ask for it again, unless a freeze keeps it free that nobody knows to be over. A
// token is answered before its place in the queue is given up, so that whoever dies in between leaves nobody
// unanswered; and who was told is kept in mind until it has done as it was told.
func NotifyQueue(ctx context.Context, book Ledger, answers machine.Answers, thawed bool) error {
	lock := sm.Lock{}
	if _, err := book.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	for len(lock.Queue) > 0 {
		next, newest := book.NextInQueue(lock), slices.MaxFunc(lock.Queue, bySequence)
		done := map[string]bool{} // by token: an execution that parks again has a new one
		var told []sm.QueueEntry
		for _, p := range lock.Queue {
			if book.Queue == sm.InTurn || p.Execution == next.Execution || p.Execution == newest.Execution {
				continue
			}
			doc := sm.Document{Execution: p.Execution, Release: p.Release, Sequence: p.Sequence, Next: sm.NextFinish, Outcome: sm.Superseded,
				Failure: &sm.Failure{Error: "Superseded", Cause: fmt.Sprintf("%s, which is newer, waits in its place", newest.Release)}}
			if _, err := answers.Succeed(ctx, p.TaskToken, doc); err != nil {
				return fmt.Errorf("tell %s that it is superseded: %w", p.Release, err)
			}
			done[p.TaskToken], told = true, append(told, p)
		}
		woken := false
		if lock.Holder == nil && (thawed || lock.Frozen == nil) && !next.Woken {
			again := sm.Document{Execution: next.Execution, Release: next.Release, Sequence: next.Sequence, Next: sm.NextBegin}
			delivered, err := answers.Succeed(ctx, next.TaskToken, again)
			if err != nil {
				return fmt.Errorf("wake %s: %w", next.Release, err)
			}
			// Undelivered, it was woken already or is dead. Where others wait behind it it keeps its place: from the
			// dead Recover takes it. Else the place is free for the next.
			keeps := book.Queue == sm.InTurn || next.Hotfix
			woken = delivered || keeps
			done[next.TaskToken] = !keeps
			if !keeps {
				told = append(told, next)
			}
		}
		if len(done) == 0 {
			return nil
		}
		left, err := book.UpdateLock(ctx, func(l *sm.Lock) error {
			l.Notified = append(l.Notified, slices.DeleteFunc(slices.Clone(told), func(p sm.QueueEntry) bool {
				return !IsWaiting(l.Queue, p.TaskToken) // somebody else has seen to it
			})...)
			l.Queue = slices.DeleteFunc(l.Queue, func(p sm.QueueEntry) bool { return done[p.TaskToken] })
			if thawed && woken { // should it not begin after all, the next one is called at once
				l.Frozen = nil
			}
			for i := range l.Queue {
				l.Queue[i].Woken = l.Queue[i].Woken || woken && l.Queue[i].TaskToken == next.TaskToken
			}
			return nil
		})
		if err != nil || woken {
			return err
		}
		lock = left
	}
	return nil
}

func IsWaiting(queue []sm.QueueEntry, token string) bool {
	return slices.ContainsFunc(queue, func(p sm.QueueEntry) bool { return p.TaskToken == token })
}

// next is who follows on the release under way.
func (b Ledger) NextInQueue(lock sm.Lock) sm.QueueEntry {
	waiting := lock.Queue
	if hotfixes := slices.DeleteFunc(slices.Clone(waiting), func(p sm.QueueEntry) bool { return !p.Hotfix }); len(hotfixes) > 0 {
		waiting = hotfixes
	}
	if b.Queue == sm.InTurn {
		return slices.MinFunc(waiting, bySequence)
	}
	return slices.MaxFunc(waiting, bySequence)
}

func bySequence(x, y sm.QueueEntry) int { return cmp.Compare(x.Sequence, y.Sequence) }

// placeOf is that of an execution which waits, or was told what becomes of it; the zero Parked where there is none.
func QueueEntry(lock sm.Lock, execution string) sm.QueueEntry {
	for _, p := range slices.Concat(lock.Queue, lock.Notified) {
		if p.Execution == execution {
			return p
		}
	}
	return sm.QueueEntry{}
}
