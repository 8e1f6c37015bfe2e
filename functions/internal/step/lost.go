package step

import (
	"context"
	"fmt"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// What is known of a lock or a record that somebody deleted, or damaged.

// lostFences is how much newer than any that is known the fence of a lock is that was lost: who died before it had a record, and
// repairs, held some that nothing tells of.
const lostFences = 1000

// regained is a lock that was lost as it was before: held by a release that has not ended. Who waited is lost, but for those who came since.
func regained(lost sm.Lock, r sm.Record) sm.Lock {
	lost.Fence = r.Fence
	lost.Holder = &sm.Holder{Release: r.Release, Sequence: r.Sequence, Execution: r.Execution, Fence: r.Fence, Since: time.Now().UTC(), Asked: r.Asked}
	return lost
}

// reopened is the record of a release that is under way, where the one is gone that Begin opened: what the document still says, and the
// story since.
func reopened(doc sm.Document, left sm.Record, since time.Time) sm.Record {
	r := sm.Record{Release: doc.Release, Sequence: doc.Sequence, Execution: doc.Execution, Attempt: 1, Fence: doc.Fence, Active: doc.Active, Fallback: doc.Fallback,
		Began: since, Weight: doc.Weight, Step: doc.Step, Expanded: true, Lingers: true, Story: left.Story}
	if doc.Hotfix {
		r.Hotfix = "why is not known any more"
	}
	if doc.Promoted {
		now := time.Now().UTC() // later than it was, so that the environment before is drained for long enough
		r.Promoted = &now
	}
	return r
}

// noted is the newest fence under which an environment was changed.
func (b Book) noted(ctx context.Context) (fence int64, err error) {
	for _, e := range sm.Environments() {
		c, err := b.Carries(ctx, e)
		if err != nil {
			return 0, err
		}
		fence = max(fence, c.Fence)
	}
	return fence, nil
}

// lostRecord says why nobody can take the release over that has the lock; "" where its record is there, or it never began.
func (r *Repair) lostRecord(ctx context.Context, h sm.Holder, records []sm.Record, unreadable map[string]error) (string, error) {
	key := sm.RecordKey(h.Release)
	if err := unreadable[key]; err != nil {
		return fmt.Sprintf("%s can't be read: %v", key, err), nil
	}
	if h.Release == sm.Repairs || slices.ContainsFunc(records, func(x sm.Record) bool { return x.Release == h.Release && x.Execution != "" }) {
		return "", nil
	}
	noted, err := r.Book.noted(ctx)
	if err != nil && sm.Name(err) != "" { // it will pass; a note that can't be read may say anything
		return "", err
	}
	if err != nil || noted >= h.Fence {
		return key + " is missing", nil
	}
	return "", nil
}
