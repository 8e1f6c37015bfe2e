package ledger

import (
	"cmp"
	"slices"

	sm "lockstep/statemachine"
)

// HasTurn tells whether a release may take the lock that it found free. A hotfix that waits goes
// first; where all wait in turn, so does whoever has the lower sequence.
func (l Ledger) HasTurn(lock sm.Lock, sequence int64, hotfix bool) bool {
	return !slices.ContainsFunc(lock.Queue, func(e sm.QueueEntry) bool {
		if e.Hotfix != hotfix {
			return e.Hotfix
		}

		return l.Queue == sm.InTurn && e.Sequence < sequence
	})
}

// NextInQueue is the entry that follows on the release under way. The queue must not be empty.
func (l Ledger) NextInQueue(lock sm.Lock) sm.QueueEntry {
	waiting := lock.Queue

	hotfixes := slices.DeleteFunc(slices.Clone(waiting),
		func(e sm.QueueEntry) bool { return !e.Hotfix })
	if len(hotfixes) > 0 {
		waiting = hotfixes
	}

	if l.Queue == sm.InTurn {
		return slices.MinFunc(waiting, bySequence)
	}

	return slices.MaxFunc(waiting, bySequence)
}

func bySequence(x, y sm.QueueEntry) int { return cmp.Compare(x.Sequence, y.Sequence) }

// IsWaiting tells whether an entry of the queue has a task token.
func IsWaiting(queue []sm.QueueEntry, token string) bool {
	return slices.ContainsFunc(queue, func(e sm.QueueEntry) bool { return e.TaskToken == token })
}

// QueueEntry is that of an execution which waits, or was notified; the zero entry where there is
// none.
func QueueEntry(lock sm.Lock, execution string) sm.QueueEntry {
	for _, e := range slices.Concat(lock.Queue, lock.Notified) {
		if e.Execution == execution {
			return e
		}
	}

	return sm.QueueEntry{}
}
