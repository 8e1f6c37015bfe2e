package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// takeOver takes the lease over from a dead execution and goes on where its release can still end
// well: back before contract, forward from it on. Run twice, it finds the lease its own.
func takeOver(
	ctx context.Context, l ledger.Ledger, answers machine.Answers, in sm.BeginInput,
	trigger release.Trigger,
) (sm.Document, error) {
	lock, err := l.UpdateLock(ctx, func(lock *sm.Lock) error {
		h := lock.Holder

		switch {
		case h != nil && h.Execution == in.Execution:
			return renewAttempt(l, lock, in)
		case h == nil || h.Execution != trigger.Recover && !machine.Recovers(in.Execution, *h):
			return sm.Errorf(sm.InvalidRelease, "recover %s: it is not the lease holder: nothing to do",
				trigger.Recover)
		}

		lock.Fence++
		h.Execution, h.Since, h.Attempt = in.Execution, time.Now().UTC(), in.Attempt

		return nil
	})
	if err != nil {
		return sm.Document{}, err
	}

	doc := sm.Document{
		Execution: in.Execution, Release: lock.Holder.Release, Sequence: lock.Holder.Sequence,
		Fence: lock.Fence, Attempt: in.Attempt,
	}

	record, opened, err := adopt(ctx, l, doc, *lock.Holder)
	if err != nil {
		return sm.Document{}, err
	}

	why := continuation(&doc, record, opened, trigger.Recover)
	event := sm.Event{
		State: sm.Recover, Kind: sm.EventTakenOver, Text: why + "; going on with " + string(doc.Next),
	}

	if _, err := l.Append(ctx, doc, event); err != nil {
		return sm.Document{}, err
	}

	_, err = answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}

// adopt puts the new fencing token into the record before anything is concluded from it: from then
// on no stale writer can change it. Opened is false where the dead execution had no record yet.
func adopt(
	ctx context.Context, l ledger.Ledger, doc sm.Document, h sm.Holder,
) (record sm.Record, opened bool, err error) {
	record, err = l.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		// A record with a lower token is of an earlier run, whose roles may have been swapped since.
		opened = r.Execution != "" && r.Fence >= h.Fence
		if opened && r.Execution != doc.Execution {
			r.PreviousExecutions, r.Execution, r.Fence = r.Executions(), doc.Execution, doc.Fence
			r.Outcome, r.Cause, r.Ended = "", sm.Cause{}, nil // Wait stays: the rollback cancels its timer
		}

		return nil
	})

	if err != nil || record.Execution != "" || doc.Release == sm.RepairRelease {
		return record, opened, err
	}

	newest, err := l.NewestFence(ctx)
	if err == nil && newest >= h.Fence { // to end it now would leave the viewers where they are
		err = sm.Corrupt(sm.RecordKey(doc.Release),
			fmt.Errorf("missing, which says how far %s had got; restore it from a backup", doc.Release))
	}

	return record, opened, err
}

// continuation says where the release goes on, and why. A repair has no environments to bring back:
// the next doctor finds what is left.
func continuation(doc *sm.Document, record sm.Record, opened bool, dead string) (why string) {
	repair := doc.Release == sm.RepairRelease
	why = fmt.Sprintf("%s ended in %s without finishing", dead, record.State)

	switch {
	case repair:
		doc.Next, doc.Outcome = sm.NextFinish, sm.Refused
		why = "a repair ended without finishing: run \"lockstep doctor\" to see what is left"
	case !opened: // there is nothing to undo
		doc.Next, doc.Outcome = sm.NextFinish, sm.Refused
		why = dead + " ended before it began"
	case record.Contracted:
		doc.Next = sm.NextContract
	default:
		doc.Next = sm.NextRollback
	}

	if opened && !repair {
		doc.Active, doc.Fallback, doc.Weight = record.Active, record.Fallback, record.Weight
	}

	if doc.Next != sm.NextContract {
		doc.Failure = &sm.Failure{Error: sm.CauseExecutionDied, Cause: why}
	}

	return why
}
