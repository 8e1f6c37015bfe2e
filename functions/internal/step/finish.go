package step

import (
	"context"
	"fmt"
	"slices"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Finish records how the release ended, releases the lock and announces the end. The end of a
// merge that never had the lock is announced before its queue entry is removed, since nothing else
// would find it unannounced. Run twice, it finds the end recorded and announces it again.
type Finish struct {
	Ledger    ledger.Ledger
	App       string
	Answers   machine.Answers
	Schedules timer.Schedules
}

// Run ends the release of the document.
func (f *Finish) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	doc = f.complete(doc)

	if doc.Fence == 0 {
		if err := f.withoutLock(ctx, &doc); err != nil {
			return doc, err
		}
	}

	record, err := endRecord{f.Ledger}.write(ctx, doc)
	if err != nil {
		return doc, fmt.Errorf("record that %s was %s: %w", doc.Release, doc.Outcome, err)
	}

	if doc.Fence == 0 {
		if err := f.Ledger.Announce(ctx, record, doc, endEvent(doc)); err != nil {
			return doc, err
		}
	}

	if err := f.releaseLock(ctx, doc); err != nil {
		return doc, err
	}

	if err := f.Ledger.NotifyQueue(ctx, f.Answers, false); err != nil || doc.Fence == 0 {
		return doc, err
	}

	return doc, f.Ledger.Announce(ctx, record, doc, endEvent(doc))
}

// complete fills in what the machine's last states read. Where Begin refused the input it made no
// document of it, but the input may still name the release.
func (f *Finish) complete(doc sm.Document) sm.Document {
	if doc.Release == "" {
		if trigger, err := release.ParseTrigger(doc.Event, f.App); err == nil {
			doc.Release, doc.Sequence = trigger.Release, trigger.Sequence
		}
	}

	if doc.Outcome == "" {
		doc.Outcome = sm.Released
	}

	if doc.Outcome != sm.Released && doc.Failure == nil {
		doc.Failure = &sm.Failure{Error: sm.CauseUnexplained, Cause: "no step said why"}
	}

	return doc
}

// withoutLock is for an execution without a fencing token: it cancels the timer of a freeze, which
// would answer nobody. Where the console started it with {}, only its queue entry says for which
// release.
//
// It is an error where Begin took a dead execution's lease over and could not go on: to release
// the lock now would leave the environments as they are. The execution fails with the lock held,
// and Recover tries again.
func (f *Finish) withoutLock(ctx context.Context, doc *sm.Document) error {
	lock, err := f.Ledger.Lock(ctx)
	if err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}

	h, entry := lock.Holder, ledger.QueueEntry(lock, doc.Execution)

	if h != nil && h.Execution == doc.Execution {
		if lock.Fence > h.Fence {
			return fmt.Errorf("take %s over: %s", h.Release, doc.Failure.Message())
		}

		entry = sm.QueueEntry{Release: h.Release, Sequence: h.Sequence, Timer: h.Timer}
	}

	if doc.Release == "" {
		doc.Release, doc.Sequence = entry.Release, entry.Sequence
	}

	if !entry.Timer {
		return nil
	}

	return f.Schedules.Cancel(ctx, timer.FreezeName(doc.Execution))
}

func (f *Finish) releaseLock(ctx context.Context, doc sm.Document) error {
	_, err := f.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution == doc.Execution {
			l.Holder = nil
		}

		own := func(e sm.QueueEntry) bool { return e.Execution == doc.Execution }
		l.Queue, l.Notified = slices.DeleteFunc(l.Queue, own), slices.DeleteFunc(l.Notified, own)

		return nil
	})
	if err != nil {
		return fmt.Errorf("release the lock: %w", err)
	}

	return nil
}
