// Package step has the steps of a release, one file each, behind interfaces that say what a step needs of
// the world. It knows no AWS SDK: adapters are given to it by the Lambdas' mains, and by the tests.
package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// Ledger keeps JSON objects that change only by a conditional write.
type Ledger interface {
	// Get reads an object and its tag; a missing one has the tag "" and leaves into as it was.
	Get(ctx context.Context, key string, into any) (etag string, err error)
	// Put writes an object if it still has the tag, "" for not there; else the error is StaleWrite.
	Put(ctx context.Context, key string, value any, etag string) (newETag string, err error)
}

// Bus announces what happens, so that Slack, e-mail or a pager need only a rule.
type Bus interface {
	Announce(ctx context.Context, change sm.StateChange) error
}

// Book is the ledger as the steps use it: records that only the holder of the lock writes, and whose
// every line is announced.
type Book struct {
	App    string
	Ledger Ledger
	Bus    Bus
	Queue  sm.QueuePolicy
}

// Hold makes sure that this execution still has the lock under its fence, LockLost if not, and that the machine has called for
// nothing else since, StaleWrite if so.
func (b Book) Hold(ctx context.Context, doc sm.Document) error {
	var lock sm.Lock
	if _, err := b.Ledger.Get(ctx, sm.LockKey, &lock); err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}
	return stillHeld(lock, doc)
}

func stillHeld(lock sm.Lock, doc sm.Document) error {
	if lock.Holder == nil || lock.Holder.Execution != doc.Execution || lock.Fence != doc.Fence {
		return sm.Errorf(sm.LockLost, "release %s: the lock is no longer held by %s (fence %d, now %d): stop writing",
			doc.Release, doc.Execution, doc.Fence, lock.Fence)
	}
	return latest(doc, lock.Holder.Asked)
}

// latest is StaleWrite where the machine has made another call since. An execution that began before steps were told when they are
// called says nothing of it.
func latest(doc sm.Document, last sm.Asked) error {
	if !doc.Asked.Entered.IsZero() && doc.Asked.Before(last) {
		return sm.Errorf(sm.StaleWrite, "release %s: %s has called for something else since: stop writing", doc.Release, doc.Execution)
	}
	return nil
}

// holdFor is how long a look at the lock is good for a write that AWS has no condition for.
const holdFor = 10 * time.Second

// While makes a write that AWS has no condition for: soon after a look at the lock, or not at all. A process that stood still
// in between gives it up. Whoever takes a dead execution's lock over writes once more when that time has passed.
func (b Book) While(ctx context.Context, doc sm.Document, write func(context.Context) error) error {
	soon, cancel := context.WithTimeout(ctx, holdFor)
	defer cancel()
	err := b.Hold(soon, doc)
	if err == nil {
		err = write(soon)
	}
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return sm.Errorf(sm.Throttled, "not done within %s of a look at the lock: %w", holdFor, err)
	}
	return err
}

// Mine is Hold for whoever has a condition of its own to read first. A process may stand still anywhere and wake up
// when the lock is somebody else's: so the order is the condition, the lock, the write.
func (b Book) Mine(doc sm.Document) func(context.Context) error {
	return func(ctx context.Context) error { return b.Hold(ctx, doc) }
}

// Grows gives active more viewers by write, which asks mine right before: nothing that arrived forbids it, and no more than holdFor lies
// between that look and the write, else it would outrun what came while the process stood still.
func (b Book) Grows(ctx context.Context, doc sm.Document, write func(ctx context.Context, mine func(context.Context) error) error) error {
	return b.While(ctx, doc, func(ctx context.Context) error {
		return write(ctx, func(ctx context.Context) error {
			if err := b.Hold(ctx, doc); err != nil {
				return err
			}
			record, err := b.Record(ctx, doc.Release)
			if err != nil {
				return err
			}
			return interruption(record)
		})
	})
}

// Enter is how every step begins: the lock is still ours, and whoever was called before writes no more; the record says which step
// it is.
func (b Book) Enter(ctx context.Context, doc sm.Document, task sm.Task) (sm.Record, error) {
	lock, err := b.Lock(ctx, func(l *sm.Lock) error {
		err := stillHeld(*l, doc)
		if err == nil {
			l.Holder.Asked = doc.Asked
		}
		return err
	})
	if err != nil {
		return sm.Record{}, err
	}
	return b.Update(ctx, doc, func(r *sm.Record) error {
		if r.Execution == "" {
			*r = reopened(doc, *r, lock.Holder.Since)
			// An earlier call may have passed it.
			r.Contracted = task == sm.Contract && (doc.Asked.Retry > 0 || doc.Next == sm.NextContract)
			// An alarm may have been among what is gone.
			if task != sm.Contract && task != sm.Rollback {
				r.Signals = []sm.SignalNote{{ID: "gone", Kind: sm.SignalRollback, At: time.Now().UTC(),
					Reason: sm.RecordKey(doc.Release) + " was gone, and with it what alarms and people had said"}}
			}
		}
		r.State, r.Lingers = task, r.Lingers || doc.Asked.Retry > 0
		if task != sm.Ramp && task != sm.Drain { // which know themselves what holds them
			r.Held = nil
		}
		return nil
	})
}

// Update changes the release's record. A record with a newer fence belongs to a successor: LockLost.
func (b Book) Update(ctx context.Context, doc sm.Document, change func(*sm.Record) error) (sm.Record, error) {
	return update(ctx, b.Ledger, sm.RecordKey(doc.Release), func(r *sm.Record) error {
		if r.Fence > doc.Fence {
			return sm.Errorf(sm.LockLost, "release %s: its record has the fence %d, ours is %d: stop writing", doc.Release, r.Fence, doc.Fence)
		}
		if err := latest(doc, r.Asked); err != nil {
			return err
		}
		if err := change(r); err != nil {
			return err
		}
		if !doc.Asked.Entered.IsZero() {
			r.Asked = doc.Asked
		}
		return nil
	})
}

// Outlast waits where this call was made again: the one before may have looked at the lock just before it lost it, and still write
// what AWS has no condition for.
func (b Book) Outlast(ctx context.Context, doc sm.Document) error {
	if doc.Asked.Retry == 0 {
		return nil
	}
	return outlast(ctx, doc, time.Now())
}

// outlast waits until nobody writes any more who looked at the lock before a time: the second holdFor is for what is on its way.
func outlast(ctx context.Context, doc sm.Document, since time.Time) error {
	select {
	case <-ctx.Done():
		return sm.Errorf(sm.Throttled, "wait for what %s may still write: %w", doc.Release, ctx.Err())
	case <-time.After(time.Until(since.Add(2 * holdFor))):
		return nil
	}
}

// Tell adds a line to the release's story, with whatever change to the record goes with it, and
// announces it. Told twice in a row, it is written once and announced again: events may double.
func (b Book) Tell(ctx context.Context, doc sm.Document, task sm.Task, text string, changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := b.note(ctx, doc, task, text, changes...)
	if err != nil {
		return record, err
	}
	return record, b.announce(ctx, record, doc, task, text)
}

// note is Tell without the announcement.
func (b Book) note(ctx context.Context, doc sm.Document, task sm.Task, text string, changes ...func(*sm.Record)) (sm.Record, error) {
	record, err := b.Update(ctx, doc, func(r *sm.Record) error {
		if r.Execution != doc.Execution { // it is not open for us yet, and its fence keeps nobody out who lost the lock
			if err := b.Hold(ctx, doc); err != nil {
				return err
			}
		}
		for _, change := range changes {
			change(r)
		}
		if last := len(r.Story) - 1; last >= 0 && r.Story[last].State == task && r.Story[last].Text == text {
			return nil
		}
		weight := r.Weight
		r.Story = append(r.Story, sm.Entry{At: time.Now().UTC(), State: task, Text: text, Weight: &weight})
		return nil
	})
	if err != nil {
		return record, fmt.Errorf("record %q: %w", text, err)
	}
	return record, nil
}

func (b Book) announce(ctx context.Context, record sm.Record, doc sm.Document, task sm.Task, text string) error {
	return b.Bus.Announce(ctx, sm.StateChange{
		App: b.App, Release: doc.Release, Execution: doc.Execution, State: task, Text: text, Active: record.Active,
		Weight: record.Weight, Verdict: doc.Verdict, Held: heldBy(record), Hotfix: record.Hotfix, Outcome: record.Outcome, Cause: record.Cause,
		Notice: notice(record, doc, task, text),
	})
}

func heldBy(r sm.Record) sm.HeldBy {
	if r.Held == nil {
		return ""
	}
	return r.Held.By
}

// Record reads the release's record; one that does not exist is empty.
func (b Book) Record(ctx context.Context, releaseID string) (sm.Record, error) {
	var r sm.Record
	_, err := b.Ledger.Get(ctx, sm.RecordKey(releaseID), &r)
	return r, err
}

// Carries reads what an environment carries; a new one carries nothing.
func (b Book) Carries(ctx context.Context, e sm.Environment) (sm.Carries, error) {
	c := sm.Carries{Environment: e}
	_, err := b.Ledger.Get(ctx, sm.CarriesKey(e), &c)
	return c, err
}

// Carry writes what an environment carries, if the lock is still ours.
func (b Book) Carry(ctx context.Context, doc sm.Document, c sm.Carries) error {
	_, err := b.carry(ctx, doc, c.Environment, func(now *sm.Carries) { *now = c })
	return err
}

// unsettle says that active is about to change, so that nobody takes it for whole until it is.
func (b Book) unsettle(ctx context.Context, doc sm.Document) (sm.Carries, error) {
	return b.carry(ctx, doc, doc.Active, func(c *sm.Carries) { c.Environment, c.Settled = doc.Active, false })
}

func (b Book) carry(ctx context.Context, doc sm.Document, e sm.Environment, change func(*sm.Carries)) (sm.Carries, error) {
	return update(ctx, b.Ledger, sm.CarriesKey(e), func(c *sm.Carries) error {
		change(c)
		c.Fence = doc.Fence
		return b.Hold(ctx, doc)
	})
}

// Lock changes the lock, and returns it as it then is.
func (b Book) Lock(ctx context.Context, change func(*sm.Lock) error) (sm.Lock, error) {
	return update(ctx, b.Ledger, sm.LockKey, change)
}

// update reads, changes and writes back an object until nobody else wrote in between. Whoever loses six
// times in a row gives StaleWrite to the machine, which waits with jitter.
func update[T any, P interface {
	*T
	Replaces(etag string)
}](ctx context.Context, ledger Ledger, key string, change func(*T) error) (T, error) {
	var err error
	for range 6 {
		var object kept[T]
		var etag string
		if etag, err = ledger.Get(ctx, key, &object); err != nil {
			return object.value, err
		}
		if err = change(&object.value); err != nil {
			return object.value, err
		}
		P(&object.value).Replaces(etag)
		if _, err = ledger.Put(ctx, key, object, etag); err == nil {
			return object.value, nil
		}
		if !errors.Is(err, &sm.Error{Name: sm.StaleWrite}) {
			break
		}
	}
	var none T
	return none, err
}

// interruption is the signal that ends this release, if one arrived: an alarm of the active environment,
// or the operator's word. Whatever came while no token waited is found here by the next step.
func interruption(r sm.Record) error {
	for _, s := range r.Signals {
		switch s.Kind {
		case sm.SignalAlarm:
			return sm.Errorf(sm.AlarmBreached, "%s", s.Reason)
		case sm.SignalRollback:
			return sm.Errorf(sm.OperatorRollback, "%s", s.Reason)
		}
	}
	return nil
}

// lastOf is the newest signal of the given kinds.
func lastOf(r sm.Record, kinds ...sm.SignalKind) (sm.SignalNote, bool) {
	for _, s := range slices.Backward(r.Signals) {
		if slices.Contains(kinds, s.Kind) {
			return s, true
		}
	}
	return sm.SignalNote{}, false
}
