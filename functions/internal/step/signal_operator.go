package step

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	sm "lockstep/statemachine"
)

// operatorSignal receives an operator's requests.
type operatorSignal struct {
	ledger   ledger.Ledger
	settings sm.Settings
	ramp     rampControl
}

func (o operatorSignal) receive(
	ctx context.Context, doc sm.Document, event machine.Event,
) (SignalResult, error) {
	var request sm.Operator
	if err := sm.DecodeStrict(event.Detail, &request); err != nil {
		return SignalResult{}, fmt.Errorf("event %s: detail.%w", event.ID, err)
	}

	if request.App != o.settings.App || request.Release != "" && request.Release != doc.Release {
		return SignalResult{Effect: SignalIgnored, Text: fmt.Sprintf(
			"meant for %s %s, but %s %s is under way",
			request.App, request.Release, o.settings.App, doc.Release)}, nil
	}

	if !slices.Contains(operatorActions, request.Action) {
		return SignalResult{}, fmt.Errorf(
			"event %s: detail.action: found %q, "+
				"expected pause, resume, advance, promote, approve, contract or rollback",
			event.ID, request.Action)
	}

	reason := "the operator asked for it"
	if request.Reason != "" {
		reason += ": " + request.Reason
	}

	signal := sm.ReceivedSignal{
		ID: event.ID, Kind: request.Action, Reason: reason, At: event.Time,
	}

	record, known, err := recordSignal(ctx, o.ledger, doc, signal, func(r sm.Record) bool {
		return inTime(signal, r)
	})
	if err != nil || !known {
		return SignalResult{
			Effect: SignalTooLate, Text: fmt.Sprintf("too late to %s", request.Action),
		}, err
	}

	if outdated(record, signal.ID) {
		return SignalResult{Effect: SignalDuplicate, Text: "duplicate request, ignored"}, nil
	}

	return o.act(ctx, doc, record, signal)
}

var operatorActions = []sm.SignalKind{
	sm.SignalPause, sm.SignalResume, sm.SignalAdvance, sm.SignalPromote, sm.SignalApprove,
	sm.SignalContract, sm.SignalRollback,
}

// inTime tells whether a request can be about what the operator saw. One approval too many must
// not approve a step that nobody has asked about yet, and a late one not the step after. There is
// no way back from contract: a request before the promotion could not know what is live now.
func inTime(signal sm.ReceivedSignal, r sm.Record) bool {
	switch signal.Kind {
	case sm.SignalApprove:
		return r.HeldBy() == sm.HeldByApproval &&
			!signal.At.Before(r.Held.Since.Truncate(time.Second))
	case sm.SignalContract:
		return r.Promoted != nil
	}

	return true
}

// outdated tells whether a repeated request has nothing left to do: its bake is over, or a later
// word replaced it. A request to roll back never is.
func outdated(r sm.Record, id string) bool {
	i := slices.IndexFunc(r.Signals, func(s sm.ReceivedSignal) bool { return s.ID == id })

	switch signal := r.Signals[i]; signal.Kind {
	case sm.SignalAdvance, sm.SignalPromote:
		return r.Wait != nil && r.Wait.Schedule != signal.Bake
	case sm.SignalPause, sm.SignalResume:
		last, _ := r.LastSignal(sm.SignalPause, sm.SignalResume)
		return last.ID != id
	}

	return false
}

func (o operatorSignal) act(
	ctx context.Context, doc sm.Document, record sm.Record, signal sm.ReceivedSignal,
) (SignalResult, error) {
	switch signal.Kind {
	case sm.SignalRollback:
		return o.ramp.interrupt(ctx, record, sm.OperatorRollback, signal.Reason)
	case sm.SignalPause:
		return o.ramp.pause(ctx, doc, record)
	case sm.SignalResume:
		return o.ramp.resume(ctx, doc, record)
	case sm.SignalApprove:
		return o.ramp.approve(ctx, record)
	case sm.SignalContract:
		return SignalResult{
			Effect: SignalRecorded, Text: "accepted: contract runs after the drain",
		}, nil
	}

	return o.ramp.endBake(ctx, record)
}
