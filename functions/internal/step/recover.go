package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Executions starts and looks at executions of the machine.
type Executions interface {
	// Start starts one; a name that was used before is no error: it was started then.
	Start(ctx context.Context, name string, input any) error
	// Look tells how an execution is doing. It lags behind for a moment, so no lock can be built on it.
	Look(ctx context.Context, execution string) (Execution, error)
	// ARN is that of the execution with a name.
	ARN(name string) string
}

// Execution is how an execution is doing; the zero value is one that does not exist.
type Execution struct {
	Running bool
	Status  string
	Error   string
}

// Recover finishes what an execution left that ended without its Finish: stopped in the console, timed
// out, or failed at run time. It starts another execution that takes the lock over, under a name made of
// the dead one's, so that an event that comes twice starts one. By the clock it looks for what no event
// told it, see sweep.
type Recover struct {
	Book       Book
	Settings   sm.Settings
	Executions Executions
	Answers    Answers
	Schedules  Schedules
}

// tries bounds how often a release is taken over: what fails again and again needs a person.
const tries = 3

// Run returns a sentence about what it did, for the log.
func (r *Recover) Run(ctx context.Context, event Event) (string, error) {
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
	trigger, _ := release.ParseTrigger(json.RawMessage(change.Input), r.Book.App)
	return r.died(ctx, change.Execution, trigger, Execution{Status: change.Status, Error: change.Error})
}

// died sees to what an execution left that was started for trigger, as far as that is known.
func (r *Recover) died(ctx context.Context, execution string, trigger release.Trigger, end Execution) (string, error) {
	record, err := r.Book.Record(ctx, trigger.Release)
	if err != nil && sm.Name(err) != "" { // it will pass
		return "", err
	}
	readable, held := err == nil, false
	lock, err := r.Book.Lock(ctx, func(l *sm.Lock) error {
		if readable && record.Execution == execution && record.Ended == nil && l.Holder == nil && l.Fence < record.Fence { // somebody deleted it
			*l = regained(*l, record)
		}
		held = l.Holder != nil && (l.Holder.Execution == execution || l.Holder.Execution == trigger.Recover)
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
	if end.Error == sm.RollbackFailed || lock.Holder.Recoveries > tries {
		return "stopped with the lock held", r.stop(ctx, lock)
	}
	name := recovery(lock.Holder.Release, execution)
	input := map[string]string{"release": lock.Holder.Release, "recover": lock.Holder.Execution}
	if err := r.Executions.Start(ctx, name, input); err != nil {
		return "", fmt.Errorf("start the recovery of %s: %w", lock.Holder.Release, err)
	}
	return "started " + name, nil
}

// executionDied is the failure for which a release is taken over.
const executionDied = "ExecutionDied"

// recovery names the execution that recovers a release from a dead one.
func recovery(releaseID, dead string) string {
	sum := sha256.Sum256([]byte(dead))
	return fmt.Sprintf("recover-%s-%s", releaseID, hex.EncodeToString(sum[:6]))
}

// stop says, once, that nothing more is tried.
func (r *Recover) stop(ctx context.Context, lock sm.Lock) error {
	const text = "stopped with the lock held: a person must look at this release; lockstep doctor says what is wrong"
	record, err := r.Book.Record(ctx, lock.Holder.Release)
	if err != nil {
		return err
	}
	if n := len(record.Story); n > 0 && record.Story[n-1].Text == text {
		return nil
	}
	doc := sm.Document{Execution: lock.Holder.Execution, Release: lock.Holder.Release, Fence: lock.Fence}
	_, err = r.Book.Tell(ctx, doc, sm.Recover, text)
	return err
}

// waited does what Finish would have done for an execution that died without the lock: if its merge has no end it ends here, an
// end that it recorded is announced, and in any case nobody must wait behind it. Called again, it announces that end again:
// whoever was called before may have died before it did.
func (r *Recover) waited(ctx context.Context, lock sm.Lock, trigger release.Trigger, execution string, end Execution) (string, error) {
	waiting := slices.Concat(lock.Queue, lock.Unheard)
	i := slices.IndexFunc(waiting, func(p sm.Parked) bool { return p.Execution == execution })
	doc := sm.Document{Execution: execution, Release: trigger.Release, Sequence: trigger.Sequence, Outcome: sm.Refused,
		Failure: &sm.Failure{Error: executionDied, Cause: fmt.Sprintf("%s was %s while it waited", execution, end.Status)}}
	if i >= 0 {
		doc.Release, doc.Sequence = waiting[i].Release, waiting[i].Sequence
	}
	nothing := execution + " left nothing undone"
	if !sm.ValidReleaseID(doc.Release) {
		return nothing, settleQueue(ctx, r.Book, r.Answers, false)
	}
	record, err := r.Book.Record(ctx, doc.Release)
	if err != nil {
		return "", err
	}
	own := record.Execution == execution
	ended := own && record.Ended != nil
	// Whoever had the lock may have called it, without an answer, before the news of its death came: then it waits nowhere.
	lost := trigger.Recover == "" && (own || record.Execution == "")
	if i < 0 && (announced(end) || !ended && !lost) {
		return nothing, settleQueue(ctx, r.Book, r.Answers, false)
	}
	if ended {
		doc.Outcome, doc.Failure = record.Outcome, &sm.Failure{Cause: record.Cause}
	}
	if i < 0 { // until its end is heard: by the clock the sweep tries again
		if _, err := r.Book.Lock(ctx, func(l *sm.Lock) error {
			l.Unheard = append(l.Unheard, sm.Parked{Release: doc.Release, Sequence: doc.Sequence, Execution: execution, Since: time.Now().UTC()})
			return nil
		}); err != nil {
			return "", err
		}
	}
	finish := Finish{Book: r.Book, App: r.Book.App, Answers: r.Answers, Schedules: r.Schedules}
	_, err = finish.Run(ctx, doc)
	return fmt.Sprintf("%s is %s, and that is known now", doc.Release, doc.Outcome), err
}

// announced tells whether an execution went through its Finish, and so announced its end: one that did not ends in none of these.
func announced(end Execution) bool {
	return end.Status == "SUCCEEDED" || end.Error == "Refused" || end.Error == "RolledBack"
}
