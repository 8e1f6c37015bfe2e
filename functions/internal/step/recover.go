package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Executions starts executions of the machine.
type Executions interface {
	// Start starts one; a name that was used before is no error: it was started then.
	Start(ctx context.Context, name string, input any) error
}

// Recover finishes what an execution left that ended without its Finish: stopped in the console, timed
// out, or failed at run time. It starts another execution that takes the lock over, under a name made of
// the dead one's, so that an event that comes twice starts one.
type Recover struct {
	Book       Book
	Executions Executions
	Answers    Answers
}

// tries bounds how often a release is taken over: what fails again and again needs a person.
const tries = 3

// Run returns a sentence about what it did, for the log.
func (r *Recover) Run(ctx context.Context, event Event) (string, error) {
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
	trigger, _ := release.ParseTrigger(json.RawMessage(change.Input), r.Book.App)
	held := false
	lock, err := r.Book.Lock(ctx, func(l *sm.Lock) error {
		held = l.Holder != nil && (l.Holder.Execution == change.Execution || l.Holder.Execution == trigger.Recover)
		// Counted here and not by the execution that takes over: it may die before it can write.
		if held && l.Holder.Recovered != change.Execution {
			l.Holder.Recovered, l.Holder.Recoveries = change.Execution, l.Holder.Recoveries+1
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if !held {
		return r.waited(ctx, lock, trigger, change.Execution, change.Status)
	}
	if change.Error == sm.RollbackFailed || lock.Holder.Recoveries > tries {
		doc := sm.Document{Execution: change.Execution, Release: lock.Holder.Release, Fence: lock.Fence}
		_, err := r.Book.Tell(ctx, doc, sm.Recover, "stopped with the lock held: a person must look at this release")
		return "stopped with the lock held", err
	}
	sum := sha256.Sum256([]byte(change.Execution))
	name := fmt.Sprintf("recover-%s-%s", lock.Holder.Release, hex.EncodeToString(sum[:6]))
	input := map[string]string{"release": lock.Holder.Release, "recover": lock.Holder.Execution}
	if err := r.Executions.Start(ctx, name, input); err != nil {
		return "", fmt.Errorf("start the recovery of %s: %w", lock.Holder.Release, err)
	}
	return "started " + name, nil
}

// waited does what Finish would have done for an execution that died without the lock: if it stood in the
// queue its merge ends here, and in any case nobody must wait behind it.
func (r *Recover) waited(ctx context.Context, lock sm.Lock, trigger release.Trigger, execution, status string) (string, error) {
	p := sm.Parked{Release: trigger.Release, Sequence: trigger.Sequence}
	if i := slices.IndexFunc(lock.Queue, func(p sm.Parked) bool { return p.Execution == execution }); i >= 0 {
		p = lock.Queue[i]
	} else if lost, err := r.unended(ctx, trigger, execution); err != nil || !lost {
		if err == nil {
			err = settleQueue(ctx, r.Book, r.Answers, false)
		}
		return execution + " left nothing undone", err
	}
	finish := Finish{Book: r.Book, App: r.Book.App, Answers: r.Answers}
	_, err := finish.Run(ctx, sm.Document{Execution: execution, Release: p.Release, Sequence: p.Sequence, Outcome: sm.Refused,
		Failure: &sm.Failure{Error: "ExecutionDied", Cause: fmt.Sprintf("%s was %s while it waited", execution, status)}})
	return p.Release + " waits no more", err
}

// unended tells whether a merge has no end although its execution is dead and waits nowhere: whoever had the lock
// called it, and it did not answer, before the news of its death came.
func (r *Recover) unended(ctx context.Context, trigger release.Trigger, execution string) (bool, error) {
	if trigger.Recover != "" || !sm.ValidReleaseID(trigger.Release) {
		return false, nil
	}
	record, err := r.Book.Record(ctx, trigger.Release)
	return err == nil && (record.Execution == "" || record.Execution == execution && record.Ended == nil), err
}
