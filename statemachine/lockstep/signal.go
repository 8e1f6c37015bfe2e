package main

import (
	"lockstep/statemachine"
)

// signalCommand is lockstep pause, resume, advance, promote, approve, contract and rollback.
type signalCommand struct {
	Release string `help:"Only if this release is the one under way." placeholder:"ID"`
	Reason  string `help:"Why; it goes into the record." short:"m" placeholder:"TEXT"`
}

// Run puts the signal on the bus, for the release that is under way now and for no later one.
func (c *signalCommand) Run(s *session, kind statemachine.SignalKind) error {
	if err := s.connect(); err != nil {
		return err
	}

	lock, err := s.lock()
	if err != nil {
		return err
	}

	if err := c.check(kind, lock.Holder); err != nil {
		return err
	}

	record, err := s.record(lock.Holder.Release)
	if err != nil {
		return err
	}

	if record.Execution != lock.Holder.Execution { // of an earlier run of this release
		record = statemachine.Record{}
	}

	record.Release = lock.Holder.Release
	if why := noEffect(kind, record); why != "" {
		return invalid("%s: %s", kind, why)
	}

	request := statemachine.Operator{App: s.settings.App, Release: record.Release, Action: kind,
		Reason: c.Reason}
	if err := s.put(statemachine.SourceOperator, statemachine.DetailOperator, request); err != nil {
		return err
	}

	s.say("sent %s to %s%s; lockstep status --watch shows the result", kind, request.Release,
		because(c.Reason))

	return nil
}

// check refuses a signal where the release that it is meant for is not under way.
func (c *signalCommand) check(kind statemachine.SignalKind, holder *statemachine.Holder) error {
	switch {
	case holder == nil && kind == statemachine.SignalRollback:
		return invalid("%s: no release is under way; a merge takes some seconds to begin, so try "+
			"again; to return to an older version, release it under a new id", kind)
	case holder == nil:
		return invalid("%s: no release is under way", kind)
	case holder.Release == statemachine.RepairRelease:
		return invalid("%s: no release is under way, only a repair; run lockstep doctor to see what "+
			"is left of it", kind)
	case c.Release != "" && c.Release != holder.Release:
		return invalid("%s --release: found %q, but %s is under way", kind, c.Release, holder.Release)
	}

	return nil
}

// noEffect is why a signal would be dropped, "" where it would not: its sender would rely on it.
func noEffect(kind statemachine.SignalKind, r statemachine.Record) string {
	if r.Contracted {
		return r.Release + " is contracted and cannot be rolled back; to undo it, release the older " +
			"version under a new id"
	}

	switch kind {
	case statemachine.SignalApprove:
		if r.HeldBy() != statemachine.HeldByApproval {
			return r.Release + " does not wait for an approval; lockstep status shows when it does"
		}
	case statemachine.SignalContract:
		if r.Promoted == nil {
			return r.Release + " is not promoted yet, and contract cannot be undone; send it after the " +
				"promotion"
		}
	case statemachine.SignalPause, statemachine.SignalResume, statemachine.SignalAdvance,
		statemachine.SignalPromote:
		if r.Promoted != nil {
			return r.Release + " is promoted, so its ramp is over; roll it back, or let it contract"
		}
	}

	return ""
}

func because(reason string) string {
	if reason == "" {
		return ""
	}

	return ", because: " + reason
}
