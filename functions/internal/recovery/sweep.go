package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// sweep looks by the clock for what no event told: EventBridge gives up after a day, a Lambda may
// die for good, and a schedule may be lost. It finishes what a dead holder of the lock left, takes
// the dead out of the queue, wakes whose turn it is, in a freeze too where it has no clock, and
// winds the clock of a bake that nothing else will end. What is younger than a sweep is left
// alone: it may be under way. Where all is well it changes nothing.
func (r *Recover) sweep(ctx context.Context) (string, error) {
	var lock sm.Lock
	if _, err := r.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return "", fmt.Errorf("read the lock: %w", err)
	}

	var did []string

	for _, p := range slices.Concat(lock.Queue, lock.Notified) {
		if r.Young(p.Since) {
			continue
		}

		found, err := r.Executions.Look(ctx, p.Execution)
		if err != nil {
			return "", fmt.Errorf("look at what waits for %s: %w", p.Release, err)
		}

		if found.Running {
			continue
		}

		text, err := r.died(ctx, p.Execution, release.Trigger{Release: p.Release, Sequence: p.Sequence},
			found)
		if err != nil {
			return "", err
		}

		did = append(did, text)
	}

	if lock.Holder != nil && !r.Fresh(*lock.Holder) {
		text, err := r.holder(ctx, lock)
		if err != nil {
			return "", err
		}

		did = append(did, text)
	}

	unwatched, err := r.unwatched(ctx)
	if err != nil {
		return "", err
	}

	return strings.Join(did, "; "), r.Ledger.NotifyQueue(ctx, r.Answers, unwatched)
}

// unwatched tells whether nothing would wake whose turn it is once a freeze is over, should nobody
// hear of its end: who had a clock is dead, or it was lost. Called, it looks for itself and winds
// its own.
func (r *Recover) unwatched(ctx context.Context) (bool, error) {
	var lock sm.Lock
	if _, err := r.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return false, fmt.Errorf("read the lock: %w", err)
	}

	if lock.Holder != nil || lock.Frozen == nil || len(lock.Queue) == 0 {
		return false, nil
	}

	next := r.Ledger.NextInQueue(lock)
	if r.Young(next.Since) {
		return false, nil
	}

	names, err := r.Schedules.List(ctx)

	return err == nil && !slices.Contains(names, timer.FreezeName(next.Execution)), err
}

func (r *Recover) Young(since time.Time) bool { return time.Since(since) < r.Settings.Sweep.Std() }

// lambdaLife is how long a Lambda can live.
const lambdaLife = 15 * time.Minute

// fresh tells whether a holder of the lock may be under way unseen. A repair is no execution that
// one could look at: its Lambda may be at work for as long as it can live.
func (r *Recover) Fresh(h sm.Holder) bool {
	return r.Young(h.Since) || h.Release == sm.RepairRelease && time.Since(h.Since) < lambdaLife
}

// holder sees to the release under way: of a dead execution it does what the event of its end
// would have done.
func (r *Recover) holder(ctx context.Context, lock sm.Lock) (string, error) {
	last, recovering, found, err := r.Last(ctx, lock)
	switch {
	case err != nil:
		return "", err
	case found.Running && recovering == "":
		return r.bake(ctx, lock)
	case found.Running:
		return last + " recovers it", nil
	}

	return r.died(ctx, last, release.Trigger{Recover: recovering}, found)
}

// last follows the recoveries that were started one after the other, from the holder of the lock
// on.
func (r *Recover) Last(ctx context.Context, lock sm.Lock) (last, recovering string,
	found machine.Execution, err error) {
	next := lock.Holder.Execution
	for {
		started, err := r.Executions.Look(ctx, next)
		if err != nil {
			return "", "", found, fmt.Errorf("look at the execution of %s: %w", lock.Holder.Release, err)
		}

		if last != "" && started == (machine.Execution{}) {
			return last, recovering, found, nil
		}

		if last != "" {
			recovering = lock.Holder.Execution
		}

		if last, found = next, started; found.Running {
			return last, recovering, found, nil
		}

		next = r.Executions.ARN(machine.RecoveryName(lock.Holder.Release, last))
	}
}

// again starts one more recovery, as a person asks for it, and lets as many follow as after the
// first death.
func (r *Recover) Again(ctx context.Context, lock sm.Lock, last string) error {
	if _, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder == nil || l.Holder.Execution != lock.Holder.Execution {
			return sm.Errorf(sm.StaleWrite, "the lock changed hands meanwhile: look again")
		}

		l.Holder.Recovered, l.Holder.Recoveries = last, 1

		return nil
	}); err != nil {
		return err
	}

	return r.Executions.Start(ctx, machine.RecoveryName(lock.Holder.Release, last),
		map[string]string{"release": lock.Holder.Release, "recover": lock.Holder.Execution})
}

// bake winds the clock of a bake again that is overdue, or whose schedule is gone.
func (r *Recover) bake(ctx context.Context, lock sm.Lock) (string, error) {
	record, err := r.Ledger.Record(ctx, lock.Holder.Release)
	if err != nil {
		return "", err
	}

	bake := record.Wait
	if record.State != sm.Ramp || bake == nil || bake.Paused != nil || r.Young(bake.Since) {
		return lock.Holder.Release + " is under way", nil
	}

	names, err := r.Schedules.List(ctx)
	if err != nil {
		return "", err
	}

	if slices.Contains(names, bake.Schedule) && time.Since(bake.Until) < r.Settings.Sweep.Std() {
		return lock.Holder.Release + " bakes", nil
	}

	return "wound the clock of " + lock.Holder.Release +
		" again", timer.Start(ctx, r.Ledger, r.Schedules, lock.Holder.Release)
}
