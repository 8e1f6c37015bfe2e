package statemachine

import (
	"slices"
	"time"
)

// Held is what a release waits for, other than time.
type Held struct {
	By    HeldBy    `json:"by"`
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
	// Until is when Lockstep looks again by itself; nil where a person must speak.
	Until *time.Time `json:"until,omitempty"`
	// Step is the step of the ramp that an approval is asked for.
	Step int `json:"step,omitempty"`
}

// HeldBy is who holds a release.
type HeldBy string

const (
	HeldByOperator HeldBy = "operator" // paused
	HeldByVerdict  HeldBy = "verdict"  // the metrics never said enough
	HeldByApproval HeldBy = "approval"
	HeldByWindow   HeldBy = "window"
	HeldByFreeze   HeldBy = "freeze"
	// nobody calls the old environment, and the word to contract is awaited
	HeldByDrain HeldBy = "drain"
)

// SignalKind is what arrived.
type SignalKind string

const (
	SignalAlarm    SignalKind = "alarm"
	SignalPause    SignalKind = "pause"
	SignalResume   SignalKind = "resume"
	SignalAdvance  SignalKind = "advance"  // end this bake
	SignalPromote  SignalKind = "promote"  // skip the rest of the ramp
	SignalApprove  SignalKind = "approve"  // let the step begin that waits for it
	SignalContract SignalKind = "contract" // contract once the old environment has drained
	SignalRollback SignalKind = "rollback"
)

// ReceivedSignal is a signal as the ledger keeps it.
type ReceivedSignal struct {
	ID     string     `json:"id"` // of the event, so that one delivered twice counts once
	Kind   SignalKind `json:"kind"`
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	// Alarm is the name of the alarm that rang.
	Alarm string `json:"alarm,omitempty"`
	// Bake is the schedule of the bake that it found, if it found one: told again, it is not about the
	// next.
	Bake string `json:"bake,omitempty"`
	// Step is the step of the ramp that an approval is for.
	Step int `json:"step,omitempty"`
}

// HeldBy is who holds the release; "" where nobody does.
func (r Record) HeldBy() HeldBy {
	if r.Held == nil {
		return ""
	}

	return r.Held.By
}

// LastSignal is the newest signal of the given kinds.
func (r Record) LastSignal(kinds ...SignalKind) (signal ReceivedSignal, ok bool) {
	for _, s := range slices.Backward(r.Signals) {
		if slices.Contains(kinds, s.Kind) {
			return s, true
		}
	}

	return ReceivedSignal{}, false
}

// Paused tells whether the operator's last word is a pause.
func (r Record) Paused() bool {
	last, ok := r.LastSignal(SignalPause, SignalResume)

	return ok && last.Kind == SignalPause
}

// PromotedByHand tells whether the operator asked for everyone at once.
func (r Record) PromotedByHand() bool {
	_, ok := r.LastSignal(SignalPromote)

	return ok
}

// ApprovedStep is the last step of the ramp that was approved; 0 for none.
func (r Record) ApprovedStep() int {
	last := 0

	for _, s := range r.Signals {
		if s.Kind == SignalApprove {
			last = max(last, s.Step)
		}
	}

	return last
}

// SetWeight records the weight that active has from now on.
func (r *Record) SetWeight(weight int, now time.Time) {
	if n := len(r.Weights); n == 0 || r.Weights[n-1].Weight != weight {
		r.Weights = append(r.Weights, WeightChange{At: now, Weight: weight})
	}

	r.Weight = weight
}
