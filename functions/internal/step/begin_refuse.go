package step

import (
	"context"
	"slices"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// refusal finds out whether a release is a duplicate, or older than what is live. It returns
// InvalidRelease where it is.
type refusal struct {
	ledger ledger.Ledger
	roles  trueRoles
}

func (r refusal) check(ctx context.Context, lock sm.Lock, asks request) error {
	if err := r.underWay(lock, asks); err != nil {
		return err
	}

	now, err := r.roles.read(ctx)
	if err != nil {
		return err
	}

	if lock.Holder == nil && now.weight != 0 {
		return sm.Errorf(sm.InvalidRelease,
			"the route sends %s of the viewers to %s, where %s would go, and no release is under way; "+
				"run \"lockstep repair\", which sends everyone to %s, then release it again",
			release.Percent(now.weight), now.control.Active, asks.manifest.Release, now.control.Fallback)
	}

	live, err := r.ledger.Environment(ctx, now.control.Fallback)
	if err != nil {
		return err
	}

	record, err := r.ledger.Record(ctx, asks.manifest.Release)
	if err != nil {
		return err
	}

	return history(asks, live, record)
}

// underWay compares with the release that holds the lock and those that wait. What becomes of
// those who were notified is not recorded yet.
func (refusal) underWay(lock sm.Lock, asks request) error {
	m := asks.manifest

	switch h := lock.Holder; {
	case h == nil:
	case h.Release == m.Release:
		return sm.Errorf(sm.InvalidRelease, "release %s is under way already, in %s: nothing to do",
			m.Release, h.Execution)
	case h.Sequence == m.Sequence:
		return sequenceTaken(m, h.Release)
	}

	for _, entry := range slices.Concat(lock.Queue, lock.Notified) {
		switch {
		case entry.Execution == asks.Execution:
		case entry.Release == m.Release:
			return sm.Errorf(sm.InvalidRelease,
				"release %s waits in the queue already, in %s: nothing to do",
				m.Release, entry.Execution)
		case entry.Sequence == m.Sequence:
			return sequenceTaken(m, entry.Release)
		}
	}

	return nil
}

// history compares with what is live, and with what became of the release before.
func history(asks request, live sm.EnvironmentState, record sm.Record) error {
	m := asks.manifest
	endedHere := record.Execution == asks.Execution ||
		slices.Contains(record.PreviousExecutions, asks.Execution)

	switch {
	case record.Ended != nil && endedHere: // this is a stale attempt, whose answer nobody reads
		return sm.Errorf(sm.InvalidRelease, "release %s began in this very execution, and was %s",
			m.Release, record.Outcome)
	case live.Release == m.Release:
		return sm.Errorf(sm.InvalidRelease, "release %s is live already: nothing to do", m.Release)
	case m.Sequence < live.Sequence:
		return sm.Errorf(sm.InvalidRelease,
			"%s: sequence: found %d, expected more than %d, which is live as %s: release a newer one",
			sm.ManifestKey(m.Release), m.Sequence, live.Sequence, live.Release)
	case m.Sequence == live.Sequence:
		return sequenceTaken(m, live.Release)
	case record.Outcome != "" && record.Outcome != sm.Refused && !asks.trigger.Deliberate:
		return sm.Errorf(sm.InvalidRelease, "release %s was %s before; to try it again: %s",
			m.Release, record.Outcome, sm.RetryCommand(record.Execution, m.Release))
	}

	return nil
}

// sequenceTaken refuses a sequence that another release has: neither would be the newer one.
func sequenceTaken(m sm.Manifest, by string) error {
	return sm.Errorf(sm.InvalidRelease,
		"%s: sequence: found %d, which %s has already, expected a number of its own",
		sm.ManifestKey(m.Release), m.Sequence, by)
}
