package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// takeOver takes the lock from a dead execution and goes on where its release can still end well:
// back before contract, forward from it on.
func (b *Begin) takeOver(ctx context.Context, in sm.BeginInput,
	trigger release.Trigger) (sm.Document, error) {
	lock, err := b.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		switch {
		case l.Holder != nil && l.Holder.Execution == in.Execution:
			return again(b.Ledger, l, in)
		case l.Holder == nil || l.Holder.Execution != trigger.Recover &&
			!machine.Recovers(in.Execution, *l.Holder):
			return sm.Errorf(sm.InvalidRelease, "recover %s: it does not hold the lock: nothing to do",
				trigger.Recover)
		}

		l.Fence++
		l.Holder.Execution, l.Holder.Since, l.Holder.Attempt = in.Execution, time.Now().UTC(), in.Attempt

		return nil
	})
	if err != nil {
		return sm.Document{}, err
	}

	doc := sm.Document{Execution: in.Execution, Release: lock.Holder.Release,
		Sequence: lock.Holder.Sequence, Fence: lock.Fence, Attempt: in.Attempt}
	// Adopted before anything is made of it: once the record has our fence, no Lambda that lingers can
	// change it.
	opened := false

	record, err := b.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		// A record with an older fence is of an earlier attempt, and its roles may have been swapped
		// since.
		if opened = r.Execution != "" && r.Fence >= lock.Holder.Fence; opened &&
			r.Execution != in.Execution {
			r.PreviousExecutions, r.Execution, r.Fence = r.Executions(), in.Execution, lock.Fence
			// Wait stays: the rollback cancels its schedule
			r.Outcome, r.Cause, r.Ended = "", sm.Cause{}, nil
		}

		return nil
	})
	if err != nil {
		return sm.Document{}, err
	}

	if record.Execution == "" && doc.Release != sm.RepairRelease {
		noted, err := b.Ledger.NewestFence(ctx)
		if err != nil {
			return sm.Document{}, err
		}

		if noted >= lock.Holder.Fence { // to end it now would leave the viewers where they are
			return sm.Document{}, sm.Errorf(sm.InvalidRelease,
				"%s is gone, which says how far %s had got: lockstep repair writes it anew", sm.RecordKey(
					doc.Release), doc.Release)
		}
	}

	cause := fmt.Sprintf("%s ended in %s without finishing", trigger.Recover, record.State)

	// which has no environments to bring back: whoever asks again finds what is left to mend
	repair := doc.Release == sm.RepairRelease
	switch {
	case repair:
		doc.Next, doc.Outcome = sm.NextFinish, sm.Refused
		cause = "a repair ended without finishing: lockstep doctor says what is left"
	case !opened: // there is nothing to undo
		doc.Next, doc.Outcome = sm.NextFinish, sm.Refused
		cause = trigger.Recover + " ended before it began"
	case record.Contracted:
		doc.Next = sm.NextContract
	default:
		doc.Next = sm.NextRollback
	}

	if opened && !repair {
		doc.Active, doc.Fallback, doc.Weight = record.Active, record.Fallback, record.Weight
	}

	if doc.Next != sm.NextContract {
		doc.Failure = &sm.Failure{Error: sm.CauseExecutionDied, Cause: cause}
	}

	if _, err := b.Ledger.Append(ctx, doc, sm.Event{State: sm.Recover, Kind: sm.EventTakenOver,
		Text: cause + "; going on with " + string(doc.Next)}); err != nil {
		return sm.Document{}, err
	}

	_, err = b.Answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}
