package step

import (
	"context"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// waiting is what Begin does once its execution stands in the queue.
type waiting struct {
	ledger    ledger.Ledger
	answers   machine.Answers
	freeze    Freeze
	schedules timer.Schedules
}

// join notifies the others in the queue. Where a freeze keeps the lock free, it starts a timer to
// look again, in case the event that ends the freeze never arrives.
func (w waiting) join(ctx context.Context, asks request, a admitted) error {
	err := w.ledger.NotifyQueue(ctx, w.answers, asks.frozen == "")
	if err != nil || asks.frozen == "" || a.lock.Holder != nil {
		return err
	}

	if !a.waited {
		if err := w.announce(ctx, asks); err != nil {
			return err
		}
	}

	if err := w.startTimer(ctx, asks, *a.lock.Frozen); err != nil {
		return err
	}

	// Whoever was notified meanwhile found no timer to cancel.
	lock, err := w.ledger.Lock(ctx)
	if err != nil {
		return err
	}

	if !ledger.IsWaiting(lock.Queue, asks.TaskToken) {
		return w.schedules.Cancel(ctx, timer.FreezeName(asks.Execution))
	}

	// Check again: the freeze may have ended before the token was stored.
	reason, err := w.freeze.Reason(ctx)
	if err != nil || reason != "" {
		return err
	}

	return w.ledger.NotifyQueue(ctx, w.answers, true)
}

func (w waiting) announce(ctx context.Context, asks request) error {
	doc := sm.Document{Execution: asks.Execution, Release: asks.manifest.Release}
	held := sm.Record{Held: &sm.Held{By: sm.HeldByFreeze, Why: "frozen: " + asks.frozen}}

	return w.ledger.Announce(ctx, held, doc, sm.Event{
		State: sm.Begin, Kind: sm.EventWaiting,
		Text: asks.manifest.Release + " waits to begin: frozen: " + asks.frozen,
	})
}

func (w waiting) startTimer(ctx context.Context, asks request, frozenSince time.Time) error {
	again := sm.Document{
		Execution: asks.Execution, Release: asks.manifest.Release, Sequence: asks.manifest.Sequence,
		Next: sm.NextBegin,
	}
	now := time.Now()
	at := now.Add(nextFreezeLook(now.Sub(frozenSince)))

	return w.schedules.At(ctx, timer.FreezeName(asks.Execution), at, asks.TaskToken, again)
}
