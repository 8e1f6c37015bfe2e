package step

import (
	"context"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// admission takes the lock if it is free, or joins the queue.
type admission struct {
	ledger  ledger.Ledger
	refusal refusal
}

// admit judges inside the conditional write, so two copies of one merge cannot both find it
// unknown. It returns InvalidRelease where the release is refused, and StaleWrite where a newer
// attempt of this execution was here before.
func (a admission) admit(ctx context.Context, asks request) (admitted, error) {
	var result admitted

	lock, err := a.ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		result = admitted{}

		if l.Holder != nil && l.Holder.Execution == asks.Execution {
			return renewAttempt(a.ledger, l, asks.BeginInput)
		}

		if err := a.refusal.check(ctx, *l, asks); err != nil {
			return err
		}

		entry, err := leaveQueue(l, asks)
		if err != nil {
			return err
		}

		result.waited = entry.waits

		if l.Holder == nil && asks.frozen == "" &&
			a.ledger.HasTurn(*l, asks.manifest.Sequence, asks.trigger.Hotfix != "") {
			return a.take(ctx, l, asks, entry.timer)
		}

		return a.enqueue(l, asks, entry.timer)
	})

	result.lock = lock

	return result, err
}

// renewAttempt is for a Begin whose execution has the lock already: by an earlier attempt, or, if
// this one is stale, by a later one.
func renewAttempt(l ledger.Ledger, lock *sm.Lock, in sm.BeginInput) error {
	doc := sm.Document{
		Release: lock.Holder.Release, Execution: in.Execution, Attempt: in.Attempt,
	}

	err := l.Lease(doc).VerifyAttempt(lock.Holder.Attempt)
	if err == nil {
		lock.Holder.Attempt = in.Attempt
	}

	return err
}

// left is what an execution had in the queue before it asked again.
type left struct{ waits, timer bool }

// leaveQueue takes the execution's own entries out of the queue.
func leaveQueue(l *sm.Lock, asks request) (left, error) {
	own := func(e sm.QueueEntry) bool { return e.Execution == asks.Execution }

	for _, e := range slices.Concat(l.Queue, l.Notified) {
		if own(e) && asks.Attempt.Before(e.Attempt) {
			return left{}, sm.Errorf(sm.StaleWrite,
				"release %s: superseded by a newer attempt of %s, which has its place in the queue",
				asks.manifest.Release, asks.Execution)
		}
	}

	before := left{
		waits: slices.ContainsFunc(l.Queue, own),
		timer: ledger.QueueEntry(*l, asks.Execution).Timer,
	}
	l.Queue, l.Notified = slices.DeleteFunc(l.Queue, own), slices.DeleteFunc(l.Notified, own)

	return before, nil
}

func (a admission) take(ctx context.Context, l *sm.Lock, asks request, hasTimer bool) error {
	if l.Fence == 0 { // the first release of all, or every version of the lock was deleted
		newest, err := a.ledger.NewestFence(ctx)
		if err != nil {
			return err
		}

		if newest > 0 {
			return sm.Errorf(sm.InvalidRelease,
				"%s is missing, but environments were changed under fencing token %d; "+
					"run \"lockstep repair\", then release %s again",
				sm.LockKey, newest, asks.manifest.Release)
		}
	}

	l.Frozen = nil
	l.Fence++
	l.Holder = &sm.Holder{
		Release: asks.manifest.Release, Sequence: asks.manifest.Sequence,
		Execution: asks.Execution, Fence: l.Fence, Since: time.Now().UTC(),
		Timer: hasTimer, Attempt: asks.Attempt,
	}

	return nil
}

func (a admission) enqueue(l *sm.Lock, asks request, hasTimer bool) error {
	if a.ledger.Queue == sm.RefuseNew && l.Holder != nil {
		return sm.Errorf(sm.InvalidRelease,
			"release %s is under way in %s, and queue is %q: release %s again once it has ended",
			l.Holder.Release, l.Holder.Execution, a.ledger.Queue, asks.manifest.Release)
	}

	now := time.Now().UTC()
	startsTimer := l.Holder == nil && asks.frozen != ""

	if startsTimer && l.Frozen == nil {
		l.Frozen = &now
	}

	l.Queue = append(l.Queue, sm.QueueEntry{
		Release: asks.manifest.Release, Sequence: asks.manifest.Sequence,
		Execution: asks.Execution, TaskToken: asks.TaskToken, Since: now, Attempt: asks.Attempt,
		Hotfix: asks.trigger.Hotfix != "", Timer: startsTimer || hasTimer,
	})

	return nil
}
