package recovery

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	sm "lockstep/statemachine"
)

// Chain is the executions that were started one after the other to recover a release.
type Chain struct {
	Ledger     ledger.Ledger
	Settings   sm.Settings
	Executions machine.Executions
}

// lambdaLife is how long a Lambda can live.
const lambdaLife = 15 * time.Minute

// Young tells whether something happened less than a sweep ago: it may be under way.
func (c Chain) Young(since time.Time) bool {
	return time.Since(since) < c.Settings.Sweep.Std()
}

// Fresh tells whether the lease holder may be under way unseen. A repair is no execution that one
// could look at: its Lambda may be at work for as long as it can live.
func (c Chain) Fresh(h sm.Holder) bool {
	return c.Young(h.Since) || h.Release == sm.RepairRelease && time.Since(h.Since) < lambdaLife
}

// Last is the end of a chain.
type Last struct {
	Execution string
	// Recovering is the dead execution that the last one is to recover; "" where the last one is the
	// lease holder itself.
	Recovering string
	State      machine.Execution
}

// Last follows the recoveries from the lease holder on. The lock must be held.
func (c Chain) Last(ctx context.Context, lock sm.Lock) (Last, error) {
	var last Last

	for next := lock.Holder.Execution; ; {
		started, err := c.Executions.Look(ctx, next)
		if err != nil {
			return Last{}, fmt.Errorf("look at the execution of %s: %w", lock.Holder.Release, err)
		}

		first := last.Execution == ""
		if !first && started == (machine.Execution{}) {
			return last, nil
		}

		if !first {
			last.Recovering = lock.Holder.Execution
		}

		if last.Execution, last.State = next, started; started.Running {
			return last, nil
		}

		next = c.Executions.ARN(machine.RecoveryName(lock.Holder.Release, next))
	}
}

// Again starts one more recovery, as a person asks for it, and lets as many follow as after the
// first death. It returns StaleWrite where the lock changed hands meanwhile.
func (c Chain) Again(ctx context.Context, lock sm.Lock, last string) error {
	h := lock.Holder

	if _, err := c.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder == nil || l.Holder.Execution != h.Execution {
			return sm.Errorf(sm.StaleWrite, "the lock changed hands meanwhile; run doctor again")
		}

		l.Holder.Recovered, l.Holder.Recoveries = last, 1

		return nil
	}); err != nil {
		return err
	}

	input := map[string]string{"release": h.Release, "recover": h.Execution}

	return c.Executions.Start(ctx, machine.RecoveryName(h.Release, last), input)
}
