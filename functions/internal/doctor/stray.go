package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

const stopIt = "stop it; Recover then sees to the merge that it was started for; then look again"

// examineStrays finds executions that run and neither hold the lock nor wait for it: nobody would
// ever wake them. What began, or ended its release, less than a sweep ago is on its way in, or
// out.
func (r *Repair) examineStrays(ctx context.Context, lock sm.Lock) ([]fix, error) {
	running, err := r.Started.Running(ctx)
	if err != nil {
		return nil, err
	}

	for execution, since := range running {
		if r.Recover.Young(since) {
			delete(running, execution)
		}
	}

	for _, p := range slices.Concat(lock.Queue, lock.Notified) {
		delete(running, p.Execution)
	}

	if len(running) > 0 && lock.Holder != nil {
		delete(running, lock.Holder.Execution)

		last, _, _, err := r.Recover.Last(ctx, lock) // which is to take the lock over
		if err != nil {
			return nil, err
		}

		delete(running, last)
	}

	if len(running) == 0 {
		return nil, nil
	}

	records, _, err := r.records(ctx)
	if err != nil {
		return nil, err
	}

	for _, record := range records {
		if record.Ended != nil && r.Recover.Young(*record.Ended) {
			delete(running, record.Execution)
		}
	}

	var fixes []fix

	for _, execution := range slices.Sorted(maps.Keys(running)) {
		what := fmt.Sprintf("%s runs since %s, and neither has the lock nor waits for it", execution,
			running[execution].UTC().Format(time.RFC3339))
		fixes = append(fixes, fix{sm.Finding{What: what, Repair: stopIt}, true,
			func(ctx context.Context, _ sm.Document) error {
				return r.Started.Stop(ctx, execution, "it had no lock and no place in the queue")
			}})
	}

	return fixes, nil
}
