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
			return invalid("%s: no release is under way; to go back to an older version, release it again under a new id", action)
		}
		return invalid("%s: no release is under way", action)
	}
	if under := lock.Holder.Release; c.Release != "" && c.Release != under {
		return invalid("%s --release: found %q, but %s is under way", action, c.Release, under)
	}
	if action == statemachine.SignalApprove {
		record, err := s.record(lock.Holder.Release)
		if err != nil {
			return err
		}
		if record.Held == nil || record.Held.By != statemachine.HeldByApproval { // told now, it would be forgotten
			return invalid("%s: %s waits for no approval just now; lockstep status tells when it does", action, lock.Holder.Release)
		}
	}
	request := statemachine.Operator{App: s.settings.App, Release: lock.Holder.Release, Action: action, Reason: c.Reason}
	if err := s.put(statemachine.SourceOperator, statemachine.DetailOperator, request); err != nil {
		return err
	}
	s.say("asked %s to %s%s; lockstep status --watch shows what comes of it", request.Release,
		cmp.Or(map[statemachine.SignalKind]string{statemachine.SignalRollback: "roll back"}[action], string(action)), because(c.Reason))
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ", because: " + reason
}
