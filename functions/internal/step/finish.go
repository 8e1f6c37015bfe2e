package step

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

// Finish records how the release ended, hands the lock on and announces the end: of a merge that
// never had the lock before it gives up its place, since nothing else would find it unheard. Run
// twice, it finds the end recorded and announces it again.
type Finish struct {
	Ledger    ledger.Ledger
	App       string
	Answers   machine.Answers
	Schedules timer.Schedules
}

func (f *Finish) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if doc.Release == "" {
		// Begin refused the input, so it made no document of it; the id may still be in there.
		if trigger, err := release.ParseTrigger(doc.Event, f.App); err == nil {
			doc.Release, doc.Sequence = trigger.Release, trigger.Sequence
		}
	}

	if doc.Outcome == "" {
		doc.Outcome = sm.Released
	}

	if doc.Outcome != sm.Released && doc.Failure == nil {
		// The machine's last states read the cause, and fail for want of one.
		doc.Failure = &sm.Failure{Error: sm.CauseUnexplained, Cause: "no step said why"}
	}

	if doc.Fence == 0 {
		if err := f.unbegun(ctx, &doc); err != nil {
			return doc, err
		}
	}

	record, err := f.record(ctx, doc)
	if err != nil {
		return doc, fmt.Errorf("record that %s was %s: %w", doc.Release, doc.Outcome, err)
	}

	if doc.Fence == 0 { // whose place in the queue stays until its end is heard
		if err := f.Ledger.Announce(ctx, record, doc, ended(doc)); err != nil {
			return doc, err
		}
	}

	if _, err := f.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution == doc.Execution {
			l.Holder = nil
		}

		ours := func(p sm.QueueEntry) bool { return p.Execution == doc.Execution }
		l.Queue, l.Notified = slices.DeleteFunc(l.Queue, ours), slices.DeleteFunc(l.Notified, ours)

		return nil
	}); err != nil {
		return doc, fmt.Errorf("let go of the lock: %w", err)
	}
	if err := f.Ledger.NotifyQueue(ctx, f.Answers, false); err != nil || doc.Fence == 0 {
		return doc, err
	}

	return doc, f.Ledger.Announce(ctx, record, doc, ended(doc))
}

// unbegun sees to what an execution left that never had a fence: the schedule of a freeze that it
// waited in, which would call nobody. It is an error where Begin took a dead execution's lock over
// and could not go on: to let go of it now would leave the release as it lies. The execution fails
// with the lock held, and Recover tries again. Where only its place says which release it waited
// with, since the console started it with {}, the document says so from now on.
func (f *Finish) unbegun(ctx context.Context, doc *sm.Document) error {
	var lock sm.Lock
	if _, err := f.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}

	if lock.Holder != nil && lock.Holder.Execution == doc.Execution && lock.Fence > lock.Holder.Fence {
		return fmt.Errorf("take %s over: %s", lock.Holder.Release, doc.Failure.Message())
	}

	place := ledger.QueueEntry(lock, doc.Execution)
	// refused when it had the lock already
	if h := lock.Holder; h != nil && h.Execution == doc.Execution {
		place = sm.QueueEntry{Release: h.Release, Sequence: h.Sequence, Timer: h.Timer}
	}

	if doc.Release == "" {
		doc.Release, doc.Sequence = place.Release, place.Sequence
	}

	if !place.Timer {
		return nil
	}

	return f.Schedules.Cancel(ctx, timer.FreezeName(doc.Execution))
}

// record writes the end where it belongs. A refusal or a superseded merge must not write over the
// record of an execution that got further.
func (f *Finish) record(ctx context.Context, doc sm.Document) (sm.Record, error) {
	now := time.Now().UTC()
	end := func(r *sm.Record) {
		if r.Ended != nil && r.Execution == doc.Execution {
			return
		}

		if r.Execution == "" && doc.Active != "" {
			*r = ledger.ReopenedRecord(doc, *r, now)
			r.Expanded, r.Contracted = false, doc.Outcome == sm.Released && doc.Failure == nil
		}

		r.Release, r.Sequence, r.Execution, r.State = doc.Release, doc.Sequence, doc.Execution, sm.Finish
		r.Outcome, r.Cause, r.Ended, r.Wait, r.Weight = doc.Outcome, doc.Failure.AsCause(*r), &now, nil, 0
		end := ended(doc)
		end.At, end.Weight = now, &r.Weight
		r.Events = append(r.Events, end)
	}

	outcome := sm.Record{Release: doc.Release, Outcome: doc.Outcome,
		Cause: doc.Failure.AsCause(sm.Record{})}
	if !sm.ValidReleaseID(doc.Release) {
		return outcome, nil
	}

	if doc.Fence > 0 {
		return f.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error { end(r); return nil })
	}
	// Another execution of the same release may hold the lock, with its record not yet written, or
	// wait for it.
	var lock sm.Lock
	if _, err := f.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return outcome, err
	}

	if lock.Holder != nil && lock.Holder.Release == doc.Release &&
		lock.Holder.Execution != doc.Execution {
		return outcome, nil
	}

	for _, p := range slices.Concat(lock.Queue, lock.Notified) {
		if p.Release == doc.Release && p.Execution != doc.Execution {
			return outcome, nil
		}
	}

	record, err := ledger.Update(ctx, f.Ledger.Store, sm.RecordKey(doc.Release),
		func(r *sm.Record) error {
			// What a copy of the merge was refused for gives way to what became of the merge.
			copied := r.Began.IsZero() && r.Outcome == sm.Refused && doc.Outcome == sm.Superseded
			if r.Execution == "" || r.Execution == doc.Execution || copied {
				end(r)
			}

			return nil
		})
	if err == nil && record.Execution == doc.Execution {
		return record, nil
	}

	return outcome, err
}

// ended is the event that a release has ended.
func ended(doc sm.Document) sm.Event {
	return sm.Event{State: sm.Finish, Kind: sm.EventEnded, Text: ending(doc)}
}

func ending(doc sm.Document) string {
	cause := doc.Failure.Message()
	switch {
	case doc.Outcome == sm.Released && cause != "":
		return fmt.Sprintf("%s is released, but not contracted: %s", doc.Release, cause)
	case doc.Outcome == sm.Released:
		return fmt.Sprintf("%s is released", doc.Release)
	case doc.Release == "":
		return fmt.Sprintf("%s named no release and is %s: %s", doc.Execution, doc.Outcome, cause)
	}

	return fmt.Sprintf("%s is %s: %s", doc.Release, doc.Outcome, cause)
}
