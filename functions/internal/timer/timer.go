// Package timer starts and cancels the one-time schedules that answer a task token when a bake is
// over.
package timer

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// wind makes the schedule of the bake under way what the record says of it, and looks at the
// record again: Ramp and each pause and resume come here after their own write, so whoever is
// overtaken by another finds out.
func Start(ctx context.Context, book ledger.Ledger, schedules Schedules, releaseID string) error {
	for {
		record, err := book.Record(ctx, releaseID)
		if err != nil || record.Wait == nil || record.State != sm.Ramp {
			return err
		}

		bake := *record.Wait
		if bake.Paused != nil {
			err = schedules.Cancel(ctx, bake.Schedule)
		} else {
			err = schedules.At(ctx, bake.Schedule, bake.Until, bake.TaskToken, bake.Document)
		}

		if err != nil {
			return fmt.Errorf("wind the schedule of %s: %w", releaseID, err)
		}

		record, err = book.Record(ctx, releaseID)
		switch {
		case err != nil:
			return err
		case record.State != sm.Ramp || record.Wait == nil ||
			record.Wait.Schedule != bake.Schedule: // whoever went on cancelled it before it was there
			return schedules.Cancel(ctx, bake.Schedule)
		case same(*record.Wait, bake):
			return nil
		}
	}
}

// unwind cancels the schedule of a bake that ended before its time. Whoever ended it did so too,
// but maybe before it was there; left, it would answer a token that is used up, which nobody minds
// but an alarm.
func Cancel(ctx context.Context, schedules Schedules, bake *sm.Wait) {
	if bake != nil && bake.Paused == nil && bake.Until.After(time.Now()) {
		_ = schedules.Cancel(ctx, bake.Schedule)
	}
}

// same tells whether two looks at a bake saw the same.
func same(x, y sm.Wait) bool {
	return x.TaskToken == y.TaskToken && x.Until.Equal(y.Until) &&
		(x.Paused == nil) == (y.Paused == nil)
}

// Schedules makes and cancels one-time schedules that answer a task token.
type Schedules interface {
	At(ctx context.Context, name string, at time.Time, taskToken string, output any) error
	Cancel(ctx context.Context, name string) error
	// List names the schedules that are still to come.
	List(ctx context.Context) (names []string, err error)
}
