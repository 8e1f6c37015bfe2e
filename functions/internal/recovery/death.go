package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/step"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Tries bounds how often a release is taken over: what fails again and again needs a person.
const Tries = 3

// death handles the end of an execution that went through no Finish.
type death struct {
	ledger     ledger.Ledger
	executions machine.Executions
	answers    machine.Answers
	schedules  timer.Schedules
}

// handle finishes what an execution left that was started for trigger, as far as that is known.
func (d death) handle(
	ctx context.Context, execution string, trigger release.Trigger, end machine.Execution,
) (Action, error) {
	held := false

	lock, err := d.ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		h := l.Holder
		held = h != nil && (h.Execution == execution || h.Execution == trigger.Recover)

		// Counted here and not by the execution that takes over: it may die before it can write.
		if held && h.Recovered != execution {
			h.Recovered, h.Recoveries = execution, h.Recoveries+1
		}

		return nil
	})
	if err != nil {
		return Action{}, err
	}

	if !held {
		return d.withoutLock(ctx, lock, trigger, execution, end)
	}

	h := lock.Holder
	if end.Error == sm.RollbackFailed || h.Recoveries > Tries {
		return Action{ActionStopped, h.Release, execution}, d.stop(ctx, lock)
	}

	input := map[string]string{"release": h.Release, "recover": h.Execution}
	if err := d.executions.Start(ctx, machine.RecoveryName(h.Release, execution), input); err != nil {
		return Action{}, fmt.Errorf("start the recovery of %s: %w", h.Release, err)
	}

	return Action{ActionRecovered, h.Release, execution}, nil
}

// stop says, once, that nothing more is tried.
func (d death) stop(ctx context.Context, lock sm.Lock) error {
	record, err := d.ledger.Record(ctx, lock.Holder.Release)
	if err != nil {
		return err
	}

	if record.Execution == "" { // nothing is known of the release, and nothing is invented
		return nil
	}

	if n := len(record.Events); n > 0 && record.Events[n-1].Kind == sm.EventStopped {
		return nil
	}

	doc := sm.Document{
		Execution: lock.Holder.Execution, Release: lock.Holder.Release, Fence: lock.Fence,
	}
	_, err = d.ledger.Append(ctx, doc, sm.Event{
		State: sm.Recover, Kind: sm.EventStopped,
		Text: "stopped with the lock held: a person must look at this release; " +
			"run \"lockstep doctor\"",
	})

	return err
}

// withoutLock does what Finish would have done for an execution that died without the lock. If its
// merge has no end, it ends here; an end that was recorded is announced; and in any case nobody
// must wait behind it. Called again, it announces the end again: the previous call may have died
// before it did.
func (d death) withoutLock(
	ctx context.Context, lock sm.Lock, trigger release.Trigger, execution string,
	end machine.Execution,
) (Action, error) {
	entry := ledger.QueueEntry(lock, execution)
	waits := entry.Execution != ""

	doc := sm.Document{
		Execution: execution, Release: trigger.Release, Sequence: trigger.Sequence,
		Outcome: sm.Refused,
		Failure: &sm.Failure{
			Error: sm.CauseExecutionDied,
			Cause: fmt.Sprintf("%s was %s while it waited", execution, end.Status),
		},
	}
	if waits {
		doc.Release, doc.Sequence = entry.Release, entry.Sequence
	}

	if !sm.ValidReleaseID(doc.Release) {
		return Action{}, d.ledger.NotifyQueue(ctx, d.answers, false)
	}

	record, err := d.ledger.Record(ctx, doc.Release)
	if err != nil {
		return Action{}, err
	}

	own := record.Execution == execution
	ended := own && record.Ended != nil
	// The lease holder may have woken it, without an answer, before it was found dead: then it has no
	// entry any more.
	lost := trigger.Recover == "" && (own || record.Execution == "")

	if !waits && (announced(end) || !ended && !lost) {
		return Action{}, d.ledger.NotifyQueue(ctx, d.answers, false)
	}

	if ended {
		doc.Outcome = record.Outcome
		doc.Failure = &sm.Failure{
			Error: record.Cause.Error, Cause: record.Cause.Text, Alarm: record.Cause.Alarm,
		}
	}

	if !waits {
		if err := d.remember(ctx, doc); err != nil {
			return Action{}, err
		}
	}

	finish := step.Finish{
		Ledger: d.ledger, App: d.ledger.App, Answers: d.answers, Schedules: d.schedules,
	}
	_, err = finish.Run(ctx, doc)

	return Action{ActionRecorded, doc.Release, execution}, err
}

// remember keeps an entry until the end is announced: by the clock, the sweep tries again.
func (d death) remember(ctx context.Context, doc sm.Document) error {
	_, err := d.ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		l.Notified = append(l.Notified, sm.QueueEntry{
			Release: doc.Release, Sequence: doc.Sequence, Execution: doc.Execution,
			Since: time.Now().UTC(),
		})

		return nil
	})

	return err
}

// announced tells whether an execution went through its Finish, and so announced its end: any
// other ends in none of these.
func announced(end machine.Execution) bool {
	return end.Status == "SUCCEEDED" || slices.Contains([]string{"Refused", "RolledBack"}, end.Error)
}
