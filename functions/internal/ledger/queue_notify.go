package ledger

import (
	"context"
	"fmt"
	"slices"

	"lockstep/functions/internal/machine"
	sm "lockstep/statemachine"
)

// NotifyQueue answers those who wait. Where the newest supersedes, older ones are told that they
// are superseded: each was checked to the last digest before it entered the queue, so none gives
// way to a release that could not be made. If the lock is free, the next one is woken to ask for
// it again, unless a freeze may still be in force; thawed says that it is known not to be.
//
// A task token is answered before its entry is given up, so whoever dies in between leaves nobody
// unanswered. Who was told stays in Lock.Notified until it has acted on it.
func (l Ledger) NotifyQueue(ctx context.Context, answers machine.Answers, thawed bool) error {
	lock, err := l.Lock(ctx)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}

	for len(lock.Queue) > 0 {
		n := notification{next: l.NextInQueue(lock), done: map[string]bool{}}

		if err := n.supersede(ctx, l.Queue, lock.Queue, answers); err != nil {
			return err
		}

		if lock.Holder == nil && (thawed || lock.Frozen == nil) && !n.next.Woken {
			if err := n.wake(ctx, l.Queue, answers); err != nil {
				return err
			}
		}

		if len(n.done) == 0 {
			return nil
		}

		lock, err = l.UpdateLock(ctx, func(lock *sm.Lock) error {
			n.remove(lock, thawed)
			return nil
		})
		if err != nil || n.woken {
			return err
		}
	}

	return nil
}

// notification is what one pass over the queue told whom.
type notification struct {
	next sm.QueueEntry
	// task tokens whose entry is given up; an execution that waits again has a new one
	done  map[string]bool
	told  []sm.QueueEntry
	woken bool
}

// supersede tells all but the next and the newest that they are superseded.
func (n *notification) supersede(ctx context.Context, policy sm.QueuePolicy, queue []sm.QueueEntry,
	answers machine.Answers) error {
	newest := slices.MaxFunc(queue, bySequence)

	for _, entry := range queue {
		if policy == sm.InTurn || entry.Execution == n.next.Execution ||
			entry.Execution == newest.Execution {
			continue
		}

		doc := sm.Document{
			Execution: entry.Execution, Release: entry.Release, Sequence: entry.Sequence,
			Next: sm.NextFinish, Outcome: sm.Superseded,
			Failure: &sm.Failure{
				Error: sm.CauseSuperseded,
				Cause: fmt.Sprintf("%s, which is newer, waits in its place", newest.Release),
			},
		}
		if _, err := answers.Succeed(ctx, entry.TaskToken, doc); err != nil {
			return fmt.Errorf("tell %s that it is superseded: %w", entry.Release, err)
		}

		n.done[entry.TaskToken], n.told = true, append(n.told, entry)
	}

	return nil
}

// wake tells the next one to ask for the lock. If its token was answered before, it was woken
// already or is dead. Where others wait behind it, it keeps its entry, and Recover removes the
// dead; else the turn passes to the next.
func (n *notification) wake(ctx context.Context, policy sm.QueuePolicy,
	answers machine.Answers) error {
	again := sm.Document{
		Execution: n.next.Execution, Release: n.next.Release, Sequence: n.next.Sequence,
		Next: sm.NextBegin,
	}

	delivered, err := answers.Succeed(ctx, n.next.TaskToken, again)
	if err != nil {
		return fmt.Errorf("wake %s: %w", n.next.Release, err)
	}

	keeps := policy == sm.InTurn || n.next.Hotfix
	n.woken, n.done[n.next.TaskToken] = delivered || keeps, !keeps

	if !keeps {
		n.told = append(n.told, n.next)
	}

	return nil
}

// remove takes the entries of those who were told out of the queue. An entry that is not there any
// more was removed by somebody else.
func (n *notification) remove(lock *sm.Lock, thawed bool) {
	lock.Notified = append(lock.Notified, slices.DeleteFunc(slices.Clone(n.told),
		func(e sm.QueueEntry) bool {
			return !IsWaiting(lock.Queue, e.TaskToken)
		})...)

	lock.Queue = slices.DeleteFunc(
		lock.Queue, func(e sm.QueueEntry) bool { return n.done[e.TaskToken] })

	if thawed && n.woken { // should it not begin after all, the next one is woken at once
		lock.Frozen = nil
	}

	for i := range lock.Queue {
		if n.woken && lock.Queue[i].TaskToken == n.next.TaskToken {
			lock.Queue[i].Woken = true
		}
	}
}
