package doctor

import (
	"context"
	"fmt"
	"slices"

	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// OrphanedSchedule is one that is still to come, though nothing waits for it.
const OrphanedSchedule sm.FindingKind = "orphanedSchedule"

type schedules struct{ schedules timer.Schedules }

// find leaves those of merges that a freeze keeps from beginning: they wait for theirs.
func (f schedules) find(ctx context.Context, v *view) ([]finding, error) {
	names, err := f.schedules.List(ctx)
	if err != nil {
		return nil, err
	}

	var found []finding

	for _, name := range names {
		if slices.ContainsFunc(v.lock.Queue, func(e sm.QueueEntry) bool {
			return timer.FreezeName(e.Execution) == name
		}) {
			continue
		}

		found = append(found, finding{Finding: sm.Finding{
			Kind: OrphanedSchedule, Subject: name,
			Text:   fmt.Sprintf("schedule %s is still to come, but no release is under way", name),
			Repair: "delete it",
		}, repair: func(ctx context.Context, _ sm.Document) error {
			return f.schedules.Cancel(ctx, name)
		}})
	}

	return found, nil
}
