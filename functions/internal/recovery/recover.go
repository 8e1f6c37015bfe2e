// Package recovery finishes what no event and no step did: what an execution left that ended
// without its Finish, and what the sweep finds by the clock.
package recovery

import (
	"context"
	"encoding/json"
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

// Recover finishes what an execution left that ended without its Finish: stopped in the console,
// timed out, or failed at run time. It starts another execution that takes the lock over, under a
// name made of the dead one's, so that an event that comes twice starts one. By the clock it looks
// for what no event told it, see sweep.
type Recover struct {
	Ledger     ledger.Ledger
	Settings   sm.Settings
	Executions machine.Executions
	Answers    machine.Answers
	Schedules  timer.Schedules
}

// tries bounds how often a release is taken over: what fails again and again needs a person.
const Tries = 3

// Run returns a sentence about what it did, for the log.
func (r *Recover) Run(ctx context.Context, event machine.Event) (string, error) {
	if event.DetailType == sm.DetailScheduled {
		return r.sweep(ctx)
	}

	var change struct {
		Execution string `json:"executionArn"`
		Status    string `json:"status"`
		Error     string `json:"error"`
		Input     string `json:"input"`
	}
	if err := json.Unmarshal(event.Detail, &change); err != nil {
		return "", fmt.Errorf("event %s: detail: %w", event.ID, err)
	}

	if change.Status != "FAILED" && change.Status != "TIMED_OUT" && change.Status != "ABORTED" {
		return change.Execution + " is " + change.Status, nil
	}
	// Whom it was to recover, if it is a recovery that died before it had the lock.
	trigger, _ := release.ParseTrigger(json.RawMessage(change.Input), r.Ledger.App)

	return r.died(ctx, change.Execution, trigger,
		machine.Execution{Status: change.Status, Error: change.Error})
}

// died sees to what an execution left that was started for trigger, as far as that is known.
func (r *Recover) died(ctx context.Context, execution string, trigger release.Trigger,
	end machine.Execution) (string, error) {
	record, err := r.Ledger.Record(ctx, trigger.Release)
	if err != nil && sm.Name(err) != "" { // it will pass
		return "", err
	}

	readable, held := err == nil, false
	lock, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		// somebody deleted it
		if readable && record.Execution == execution && record.Ended == nil && l.Holder == nil &&
			l.Fence < record.Fence {
			*l = ledger.RestoredLock(*l, record)
		}

		held = l.Holder != nil && (l.Holder.Execution == execution ||
			l.Holder.Execution == trigger.Recover)
		// Counted here and not by the execution that takes over: it may die before it can write.
		if held && l.Holder.Recovered != execution {
			l.Holder.Recovered, l.Holder.Recoveries = execution, l.Holder.Recoveries+1
		}

		return nil
	})
	if err != nil {
		return "", err
	}

	if !held {
		return r.waited(ctx, lock, trigger, execution, end)
	}

	if end.Error == sm.RollbackFailed || lock.Holder.Recoveries > Tries {
		return "stopped with the lock held", r.stop(ctx, lock)
	}

	name := machine.RecoveryName(lock.Holder.Release, execution)

	input := map[string]string{"release": lock.Holder.Release, "recover": lock.Holder.Execution}
	if err := r.Executions.Start(ctx, name, input); err != nil {
		return "", fmt.Errorf("start the recovery of %s: %w", lock.Holder.Release, err)
	}

	return "started " + name, nil
}

// stop says, once, that nothing more is tried.
func (r *Recover) stop(ctx context.Context, lock sm.Lock) error {
	record, err := r.Ledger.Record(ctx, lock.Holder.Release)
	if err != nil {
		return err
	}

	if n := len(record.Events); n > 0 && record.Events[n-1].Kind == sm.EventStopped {
		return nil
	}

	doc := sm.Document{Execution: lock.Holder.Execution, Release: lock.Holder.Release,
		Fence: lock.Fence}
	_, err = r.Ledger.Append(ctx, doc, sm.Event{State: sm.Recover, Kind: sm.EventStopped,
		Text: "stopped with the lock held: a person must look at this release; lockstep doctor says " +
			"what is wrong"})

	return err
}

// waited does what Finish would have done for an execution that died without the lock: if its
// merge has no end it ends here, an end that it recorded is announced, and in any case nobody must
// wait behind it. Called again, it announces that end again: whoever was called before may have
// died before it did.
func (r *Recover) waited(ctx context.Context, lock sm.Lock, trigger release.Trigger,
	execution string, end machine.Execution) (string, error) {
	waiting := slices.Concat(lock.Queue, lock.Notified)
	i := slices.IndexFunc(waiting, func(p sm.QueueEntry) bool { return p.Execution == execution })

	doc := sm.Document{Execution: execution, Release: trigger.Release, Sequence: trigger.Sequence,
		Outcome: sm.Refused,
		Failure: &sm.Failure{Error: sm.CauseExecutionDied,
			Cause: fmt.Sprintf("%s was %s while it waited", execution, end.Status)}}
	if i >= 0 {
		doc.Release, doc.Sequence = waiting[i].Release, waiting[i].Sequence
	}

	nothing := execution + " left nothing undone"
	if !sm.ValidReleaseID(doc.Release) {
		return nothing, r.Ledger.NotifyQueue(ctx, r.Answers, false)
	}

	record, err := r.Ledger.Record(ctx, doc.Release)
	if err != nil {
		return "", err
	}

	own := record.Execution == execution
	ended := own && record.Ended != nil
	// Whoever had the lock may have called it, without an answer, before the news of its death came:
	// then it waits nowhere.
	lost := trigger.Recover == "" && (own || record.Execution == "")
	if i < 0 && (announced(end) || !ended && !lost) {
		return nothing, r.Ledger.NotifyQueue(ctx, r.Answers, false)
	}

	if ended {
		doc.Outcome, doc.Failure = record.Outcome, &sm.Failure{Error: record.Cause.Error,
			Cause: record.Cause.Text, Alarm: record.Cause.Alarm}
	}

	if i < 0 { // until its end is heard: by the clock the sweep tries again
		if _, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
			l.Notified = append(l.Notified, sm.QueueEntry{Release: doc.Release, Sequence: doc.Sequence,
				Execution: execution, Since: time.Now().UTC()})

			return nil
		}); err != nil {
			return "", err
		}
	}

	finish := step.Finish{Ledger: r.Ledger, App: r.Ledger.App, Answers: r.Answers,
		Schedules: r.Schedules}
	_, err = finish.Run(ctx, doc)

	return fmt.Sprintf("%s is %s, and that is known now", doc.Release, doc.Outcome), err
}

// announced tells whether an execution went through its Finish, and so announced its end: one that
// did not ends in none of these.
func announced(end machine.Execution) bool {
	return end.Status == "SUCCEEDED" || end.Error == "Refused" || end.Error == "RolledBack"
}
