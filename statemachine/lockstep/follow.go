package main

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"lockstep/statemachine"
)

const (
	interval = time.Second
	patience = 2 * time.Minute // how long a merge may go unnoticed; EventBridge takes seconds
)

// follow tells the release's story until it ends, and returns how it ended.
func (s *session) follow(release string) error {
	asked, noticed, told, queued := time.Now(), false, 0, false

	for {
		record, err := s.record(release)
		if err != nil {
			return err
		}

		for _, e := range record.Events[min(told, len(record.Events)):] {
			s.say("%s", line(e))
		}

		told = len(record.Events)
		if record.Outcome != "" {
			return outcome(record)
		}

		var lock statemachine.Lock
		if _, err := s.readJSON(statemachine.LockKey, &lock); err != nil {
			return err
		}

		waits := slices.ContainsFunc(
			lock.Queue, func(p statemachine.QueueEntry) bool { return p.Release == release })
		if waits && !queued && lock.Holder != nil {
			s.say("%s waits until %s has ended", release, lock.Holder.Release)
		}

		queued = waits

		noticed = noticed || waits || record.Release != "" || lock.Holder != nil &&
			lock.Holder.Release == release
		if !noticed && time.Since(asked) > patience {
			return errors.New("nobody took the merge up within " + patience.String() +
				"; is the rule on bus " + s.settings.Bus + " in place and enabled?")
		}

		if err := s.pause(interval); err != nil {
			return err
		}
	}
}

// outcome is nil for a release that was released.
func outcome(r statemachine.Record) error {
	if r.Outcome == statemachine.Released {
		return nil
	}

	return &ended{r.Release, r.Outcome, cmp.Or(r.Cause.String(), "no cause was recorded")}
}

// record reads what happened to a release so far; nothing has happened to one that is unknown.
func (s *session) record(release string) (r statemachine.Record, err error) {
	_, err = s.readJSON(statemachine.RecordKey(release), &r)
	return r, err
}

func (s *session) pause(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
