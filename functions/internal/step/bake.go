package step

import (
	"context"
	"fmt"

	sm "lockstep/statemachine"
)

// wind makes the schedule of the bake under way what the record says of it, and looks at the record again: Ramp
// and each pause and resume come here after their own write, so whoever is overtaken by another finds out.
func wind(ctx context.Context, book Book, schedules Schedules, releaseID string) error {
	for {
		record, err := book.Record(ctx, releaseID)
		if err != nil || record.Wait == nil {
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
		if err != nil || record.Wait == nil || same(*record.Wait, bake) {
			return err
		}
	}
}

// same tells whether two looks at a bake saw the same.
func same(x, y sm.Wait) bool {
	return x.TaskToken == y.TaskToken && x.Until.Equal(y.Until) && (x.Paused == nil) == (y.Paused == nil)
}
