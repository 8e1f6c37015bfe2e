package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

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
	}
	if err := json.Unmarshal(event.Detail, &change); err != nil {
		return "", fmt.Errorf("event %s: detail: %w", event.ID, err)
	}
	if change.Status != "FAILED" && change.Status != "TIMED_OUT" && change.Status != "ABORTED" {
		return change.Execution + " is " + change.Status, nil
	}
	lock, err := r.Book.Lock(ctx, func(l *sm.Lock) error {
		l.Queue = slices.DeleteFunc(l.Queue, func(p sm.Parked) bool { return p.Execution == change.Execution })
		return nil
	})
	if err != nil {
		return "", err
	}
	if lock.Holder == nil || lock.Holder.Execution != change.Execution {
		return change.Execution + " left nothing undone", settleQueue(ctx, r.Book, r.Answers)
	}
	doc := sm.Document{Execution: change.Execution, Release: lock.Holder.Release, Fence: lock.Fence}
	// Counted here and not by the execution that takes over: it may die before it can write.
	record, err := r.Book.Update(ctx, doc, func(record *sm.Record) error {
		if record.Recovered != change.Execution {
			record.Recovered, record.Recoveries = change.Execution, record.Recoveries+1
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if change.Error == sm.RollbackFailed || record.Recoveries > tries {
		_, err := r.Book.Tell(ctx, doc, sm.Recover, "stopped with the lock held: a person must look at this release")
		return "stopped with the lock held", err
	}
	sum := sha256.Sum256([]byte(change.Execution))
	name := fmt.Sprintf("recover-%s-%s", lock.Holder.Release, hex.EncodeToString(sum[:6]))
	input := map[string]string{"release": lock.Holder.Release, "recover": change.Execution}
	if err := r.Executions.Start(ctx, name, input); err != nil {
		return "", fmt.Errorf("start the recovery of %s: %w", lock.Holder.Release, err)
	}
	return "started " + name, nil
}
