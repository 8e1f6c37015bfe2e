package doctor

import (
	"context"
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// lostRecord says why nobody can take the release over that has the lock; "" where its record is
// there, or it never began.
func (r *Repair) lostRecord(ctx context.Context, h sm.Holder, records []sm.Record,
	unreadable map[string]error) (string, error) {
	key := sm.RecordKey(h.Release)
	if err := unreadable[key]; err != nil {
		return fmt.Sprintf("%s can't be read: %v", key, err), nil
	}

	if h.Release == sm.RepairRelease || slices.ContainsFunc(records,
		func(x sm.Record) bool { return x.Release == h.Release && x.Execution != "" }) {
		return "", nil
	}

	noted, err := r.Ledger.NewestFence(ctx)
	if err != nil && sm.Name(err) != "" { // it will pass; a note that can't be read may say anything
		return "", err
	}

	if err != nil || noted >= h.Fence {
		return key + " is missing", nil
	}

	return "", nil
}
