package ledger

import (
	"context"
	"time"

	sm "lockstep/statemachine"
)

// What is known of a lock or a record that somebody deleted, or damaged.

// lostFences is how much newer than any that is known the fence of a lock is that was lost: who
// died before it had a record, and repairs, held some that nothing tells of.
const LostFences = 1000

// regained is a lock that was lost as it was before: held by a release that has not ended. Who
// waited is lost, but for those who came since.
func RestoredLock(lost sm.Lock, r sm.Record) sm.Lock {
	lost.Fence = r.Fence
	lost.Holder = &sm.Holder{Release: r.Release, Sequence: r.Sequence, Execution: r.Execution,
		Fence: r.Fence, Since: time.Now().UTC(), Attempt: r.LastAttempt}

	return lost
}

// reopened is the record of a release that is under way, where the one is gone that Begin opened:
// what the document still says, and the story since.
func ReopenedRecord(doc sm.Document, left sm.Record, since time.Time) sm.Record {
	r := sm.Record{Release: doc.Release, Sequence: doc.Sequence, Execution: doc.Execution, Run: 1,
		Fence: doc.Fence, Active: doc.Active, Fallback: doc.Fallback,
		Began: since, Weight: doc.Weight, Step: doc.Step, Expanded: true, StaleWriter: true, Events: left.Events}
	if doc.Hotfix {
		r.Hotfix = "why is not known any more"
	}

	if doc.Promoted {
		// later than it was, so that the environment before is drained for long enough
		now := time.Now().UTC()
		r.Promoted = &now
	}

	return r
}

// noted is the newest fence under which an environment was changed.
func (b Ledger) NewestFence(ctx context.Context) (fence int64, err error) {
	for _, e := range sm.Environments() {
		c, err := b.Environment(ctx, e)
		if err != nil {
			return 0, err
		}

		fence = max(fence, c.Fence)
	}

	return fence, nil
}
