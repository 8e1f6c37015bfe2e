package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// sweep looks by the clock for what no event told: EventBridge gives up after a day, a Lambda may
// die for good, and a schedule may be lost. It finishes what a dead lease holder left, removes the
// dead from the queue, wakes the next one, also in a freeze where it has no timer, and starts the
// timer of a bake that nothing else will end. What is younger than a sweep is left alone: it may
// be under way. Where all is well it changes nothing.
type sweep struct {
	ledger    ledger.Ledger
	answers   machine.Answers
	schedules timer.Schedules
	chain     Chain
	deaths    death
}

func (s sweep) run(ctx context.Context) (Report, error) {
	lock, err := s.ledger.Lock(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read the lock: %w", err)
	}

	actions, err := s.queue(ctx, lock)
	if err != nil {
		return Report{}, err
	}

	if lock.Holder != nil && !s.chain.Fresh(*lock.Holder) {
		action, err := s.holder(ctx, lock)
		if err != nil {
			return Report{}, err
		}

		actions = append(actions, action)
	}

	thawed, err := s.withoutTimer(ctx)
	if err != nil {
		return Report{}, err
	}

	return reportOf(actions...), s.ledger.NotifyQueue(ctx, s.answers, thawed)
}

// queue finishes what those left who died while they waited.
func (s sweep) queue(ctx context.Context, lock sm.Lock) ([]Action, error) {
	var actions []Action

	for _, entry := range slices.Concat(lock.Queue, lock.Notified) {
		if s.chain.Young(entry.Since) {
			continue
		}

		found, err := s.chain.Executions.Look(ctx, entry.Execution)
		if err != nil {
			return nil, fmt.Errorf("look at what waits for %s: %w", entry.Release, err)
		}

		if found.Running {
			continue
		}

		trigger := release.Trigger{Release: entry.Release, Sequence: entry.Sequence}

		action, err := s.deaths.handle(ctx, entry.Execution, trigger, found)
		if err != nil {
			return nil, err
		}

		actions = append(actions, action)
	}

	return actions, nil
}

// holder looks at the release under way. For a dead execution it does what the event of its end
// would have done.
func (s sweep) holder(ctx context.Context, lock sm.Lock) (Action, error) {
	last, err := s.chain.Last(ctx, lock)

	switch {
	case err != nil:
		return Action{}, err
	case last.State.Running && last.Recovering == "":
		return s.bake(ctx, lock)
	case last.State.Running: // it recovers the release
		return Action{}, nil
	}

	trigger := release.Trigger{Recover: last.Recovering}

	return s.deaths.handle(ctx, last.Execution, trigger, last.State)
}

// bake starts the timer of a bake again that is overdue, or whose schedule is missing.
func (s sweep) bake(ctx context.Context, lock sm.Lock) (Action, error) {
	record, err := s.ledger.Record(ctx, lock.Holder.Release)
	if err != nil {
		return Action{}, err
	}

	bake := record.Wait
	if record.State != sm.Ramp || bake == nil || bake.Paused != nil || s.chain.Young(bake.Since) {
		return Action{}, nil
	}

	names, err := s.schedules.List(ctx)
	if err != nil {
		return Action{}, err
	}

	overdue := time.Since(bake.Until) >= s.chain.Settings.Sweep.Std()
	if slices.Contains(names, bake.Schedule) && !overdue {
		return Action{}, nil
	}

	action := Action{ActionTimer, lock.Holder.Release, lock.Holder.Execution}

	return action, timer.Start(ctx, s.ledger, s.schedules, lock.Holder.Release)
}

// withoutTimer tells whether nothing would wake the next one in the queue once a freeze is over,
// should its end go unnoticed: whoever had the timer is dead, or the timer was lost. Woken, it
// looks for itself and starts its own.
func (s sweep) withoutTimer(ctx context.Context) (bool, error) {
	lock, err := s.ledger.Lock(ctx)
	if err != nil {
		return false, fmt.Errorf("read the lock: %w", err)
	}

	if lock.Holder != nil || lock.Frozen == nil || len(lock.Queue) == 0 {
		return false, nil
	}

	next := s.ledger.NextInQueue(lock)
	if s.chain.Young(next.Since) {
		return false, nil
	}

	names, err := s.schedules.List(ctx)

	return err == nil && !slices.Contains(names, timer.FreezeName(next.Execution)), err
}
