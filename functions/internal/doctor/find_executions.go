package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	sm "lockstep/statemachine"
)

// OrphanedExecution is one that runs and neither has the lease nor waits for it: nobody would ever
// wake it.
const OrphanedExecution sm.FindingKind = "orphanedExecution"

// executions finds orphaned ones. What began, or ended its release, less than a sweep ago is on
// its way in, or out.
type executions struct {
	started machine.Started
	chain   recovery.Chain
}

func (f executions) find(ctx context.Context, v *view) ([]finding, error) {
	running, err := f.started.Running(ctx)
	if err != nil {
		return nil, err
	}

	maps.DeleteFunc(running, func(_ string, since time.Time) bool { return f.chain.Young(since) })

	for _, entry := range slices.Concat(v.lock.Queue, v.lock.Notified) {
		delete(running, entry.Execution)
	}

	if len(running) > 0 && v.lock.Holder != nil {
		last, err := f.chain.Last(ctx, v.lock) // which is to take the lease over
		if err != nil {
			return nil, err
		}

		delete(running, v.lock.Holder.Execution)
		delete(running, last.Execution)
	}

	for _, record := range v.records {
		if record.Ended != nil && f.chain.Young(*record.Ended) {
			delete(running, record.Execution)
		}
	}

	var found []finding

	for _, execution := range slices.Sorted(maps.Keys(running)) {
		since := running[execution].UTC().Format(time.RFC3339)
		found = append(found, finding{alone: true, Finding: sm.Finding{
			Kind: OrphanedExecution, Subject: execution,
			Text: fmt.Sprintf("%s runs since %s, and neither has the lease nor waits for it",
				execution, since),
			Repair: "stop it; Recover closes its release; then run doctor again",
		}, repair: func(ctx context.Context, _ sm.Document) error {
			return f.started.Stop(ctx, execution, "it had no lease and no entry in the queue")
		}})
	}

	return found, nil
}
