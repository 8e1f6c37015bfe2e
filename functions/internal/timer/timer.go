// Package timer starts and cancels the one-time schedules that answer a task token: at the end of a
// bake, or when a freeze is to be looked at again.
package timer

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// Schedules makes and cancels one-time schedules that answer a task token. Each method returns
// Throttled where the scheduler is busy.
type Schedules interface {
	// At makes a schedule, or changes the one that has the name.
	At(ctx context.Context, name string, at time.Time, taskToken string, output any) error
	// Cancel deletes a schedule; one that is not there is no error.
	Cancel(ctx context.Context, name string) error
	// List names the schedules that are still to come.
	List(ctx context.Context) (names []string, err error)
}

// Start makes the schedule of the bake under way match the record, and reads the record again.
// Ramp, and each pause and resume, call it after a write of their own, so the last one always
// finds out.
func Start(ctx context.Context, l ledger.Ledger, schedules Schedules, releaseID string) error {
	for {
		record, err := l.Record(ctx, releaseID)
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
			return fmt.Errorf("start the timer of %s: %w", releaseID, err)
		}

		record, err = l.Record(ctx, releaseID)

		switch {
		case err != nil:
			return err
		case record.State != sm.Ramp || record.Wait == nil || record.Wait.Schedule != bake.Schedule:
			// The bake ended meanwhile, and its schedule was cancelled before it was there.
			return schedules.Cancel(ctx, bake.Schedule)
		case same(*record.Wait, bake):
			return nil
		}
	}
}

// Cancel deletes the schedule of a bake that ended early. Whoever ended it did so too, but perhaps
// before the schedule was there. A schedule that stays answers a used token, which only an alarm on
// failed schedules would notice, so an error is ignored.
func Cancel(ctx context.Context, schedules Schedules, bake *sm.Wait) {
	if bake != nil && bake.Paused == nil && bake.Until.After(time.Now()) {
		_ = schedules.Cancel(ctx, bake.Schedule)
	}
}

// CancelPrevious cancels the schedule of the bake before, once another bake is in its place.
func CancelPrevious(ctx context.Context, schedules Schedules, before, now *sm.Wait) {
	if before != nil && before.Schedule != now.Schedule {
		Cancel(ctx, schedules, before)
	}
}

// same tells whether two reads of a bake ask for the same schedule.
func same(x, y sm.Wait) bool {
	return x.TaskToken == y.TaskToken && x.Until.Equal(y.Until) &&
		(x.Paused == nil) == (y.Paused == nil)
}
