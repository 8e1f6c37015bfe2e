package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"lockstep/statemachine"
)

const (
	pollInterval  = time.Second
	pickUpTimeout = 2 * time.Minute // for Begin to pick a merge up; EventBridge takes seconds
)

// follow prints the release's events until it ends, and returns how it ended.
func (s *session) follow(release string) error {
	start, pickedUp, printed, queued := time.Now(), false, 0, false

	for {
		record, err := s.record(release)
		if err != nil {
			return err
		}

		for _, e := range record.Events[min(printed, len(record.Events)):] {
			s.say("%s", eventLine(e))
		}

		printed = len(record.Events)
		if record.Outcome != "" {
			return outcome(record)
		}

		lock, err := s.lock()
		if err != nil {
			return err
		}

		waits := slices.ContainsFunc(
			lock.Queue, func(e statemachine.QueueEntry) bool { return e.Release == release })
		if waits && !queued && lock.Holder != nil {
			s.say("%s waits until %s has ended", release, lock.Holder.Release)
		}

		queued = waits

		pickedUp = pickedUp || waits || record.Release != "" || lock.Holder != nil &&
			lock.Holder.Release == release
		if !pickedUp && time.Since(start) > pickUpTimeout {
			return fmt.Errorf("no execution picked up the merge of %s within %s; check that the rule "+
				"on bus %s exists and is enabled", release, pickUpTimeout, s.settings.Bus)
		}

		if err := s.sleep(pollInterval); err != nil {
			return err
		}
	}
}

// outcome is nil for a release that was released.
func outcome(r statemachine.Record) error {
	if r.Outcome == statemachine.Released {
		return nil
	}

	return &endedError{r.Release, r.Outcome, cmp.Or(r.Cause.String(), "no cause is recorded")}
}

// record reads the ledger's record of a release; it is empty for one that has none.
func (s *session) record(release string) (r statemachine.Record, err error) {
	_, err = s.readJSON(statemachine.RecordKey(release), &r)
	return r, err
}

// lock reads the ledger's lock: the lease and the queue. Both are empty before the first release.
func (s *session) lock() (lock statemachine.Lock, err error) {
	_, err = s.readJSON(statemachine.LockKey, &lock)
	return lock, err
}

func (s *session) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
