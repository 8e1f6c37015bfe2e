package main

import (
	"cmp"

	"lockstep/statemachine"
)

// operatorCommand is lockstep pause, resume, advance, promote, approve, contract and rollback.
type operatorCommand struct {
	Release string `help:"Only if this release is the one under way." placeholder:"ID"`
	Reason  string `help:"Why: it goes into the record." short:"m"`
}

// Run puts the request on the bus, for the release that is under way now and for no later one.
func (c *operatorCommand) Run(s *session, action statemachine.SignalKind) error {
	if err := s.connect(); err != nil {
		return err
	}

	var lock statemachine.Lock
	if _, err := s.readJSON(statemachine.LockKey, &lock); err != nil {
		return err
	}

	if lock.Holder == nil {
		if action == statemachine.SignalRollback {
			return invalid("%s: no release is under way: one that was just merged is within seconds, so "+
				"ask again; to go back to an older version, release it again under a new id", action)
		}

		return invalid("%s: no release is under way", action)
	}

	if lock.Holder.Release == statemachine.RepairRelease {
		return invalid("%s: no release is under way, but a repair: lockstep doctor says what is left of "+
			"it", action)
	}

	if under := lock.Holder.Release; c.Release != "" && c.Release != under {
		return invalid("%s --release: found %q, but %s is under way", action, c.Release, under)
	}

	record, err := s.record(lock.Holder.Release)
	if err != nil {
		return err
	}

	if record.Execution != lock.Holder.Execution { // an earlier attempt's
		record = statemachine.Record{}
	}

	record.Release = lock.Holder.Release
	if why := idle(action, record); why != "" {
		return invalid("%s: %s", action, why)
	}

	request := statemachine.Operator{App: s.settings.App, Release: lock.Holder.Release, Action: action,
		Reason: c.Reason}
	if err := s.put(statemachine.SourceOperator, statemachine.DetailOperator, request); err != nil {
		return err
	}

	s.say("asked %s to %s%s; lockstep status --watch shows what comes of it", request.Release,
		cmp.Or(map[statemachine.SignalKind]string{statemachine.SignalRollback: "roll back"}[action],
			string(action)), because(c.Reason))

	return nil
}

// idle is why a word would find nothing to do, though whoever said it believes in it; "" where it
// would.
func idle(action statemachine.SignalKind, r statemachine.Record) string {
	switch action {
	case statemachine.SignalApprove:
		if r.Held == nil || r.Held.By != statemachine.HeldByApproval {
			return r.Release + " waits for no approval just now; lockstep status tells when it does"
		}
	case statemachine.SignalContract:
		if r.Promoted == nil {
			return r.Release + " is not promoted yet, and what is contracted has no way back: say it once " +
				"everyone has it"
		}
	case statemachine.SignalPause, statemachine.SignalResume, statemachine.SignalAdvance, statemachine.SignalPromote:
		if r.Promoted != nil && !r.Contracted {
			return "everyone has " + r.Release + ", and its ramp is over; roll it back, or let it contract"
		}
	}

	if r.Contracted {
		return "there is no way back from " + r.Release +
			", and nothing left to wait for; to undo it, release the older version under a new id"
	}

	return ""
}

func because(reason string) string {
	if reason == "" {
		return ""
	}

	return ", because: " + reason
}
