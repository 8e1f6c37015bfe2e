package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Promote swaps the two roles once active serves everyone. The new route sends every viewer where
// the one before sent them, so an edge location that still has the old one does no harm. From then
// on events call the release too. The document keeps the roles of the beginning.
//
// Run twice, it writes the same. It returns AlarmBreached and OperatorRollback for signals that
// arrived while no token waited.
type Promote struct {
	Ledger    ledger.Ledger
	Events    environment.Events
	Routes    routing.Routes
	Roles     routing.Roles
	Schedules timer.Schedules
}

// Run promotes.
func (p *Promote) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := p.Ledger.Enter(ctx, doc, sm.Promote)
	if err != nil {
		return doc, err
	}

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	if err := p.Ledger.Lease(doc).WaitOutPrevious(ctx); err != nil {
		return doc, err
	}

	timer.Cancel(ctx, p.Schedules, record.Wait)

	if err := p.swap(ctx, doc); err != nil {
		return doc, err
	}

	// Recorded before events call it, so that nothing that they meet counts as from before.
	if _, err := p.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.Promoted == nil {
			now := time.Now().UTC()
			r.Promoted = &now
		}

		return nil
	}); err != nil {
		return doc, err
	}

	if err := p.Events.Sync(ctx, doc, doc.Active); err != nil {
		return doc, err
	}

	event := sm.Event{
		State: sm.Promote, Kind: sm.EventPromoted,
		Text: fmt.Sprintf("everyone has %s, in %s; the roles are swapped, and %s is draining",
			doc.Release, doc.Active, doc.Fallback),
	}
	_, err = p.Ledger.Append(ctx, doc, event, func(r *sm.Record) { r.Wait, r.Preview = nil, "" })
	doc.Promoted = true

	return doc, err
}

// swap writes the route first: viewers go by it, and whoever reads the parameter can see that it
// lags.
func (p *Promote) swap(ctx context.Context, doc sm.Document) error {
	route := sm.Route{
		Active: doc.Fallback, Fallback: doc.Active, Weight: 0, Release: doc.Release,
	}
	lease := p.Ledger.Lease(doc)

	if err := lease.GuardGrowth(ctx,
		func(ctx context.Context, verify func(context.Context) error) error {
			return p.Routes.Put(ctx, route, verify)
		}); err != nil {
		return fmt.Errorf("swap the roles in the route: %w", err)
	}

	if err := lease.Guard(ctx, func(ctx context.Context) error {
		return p.Roles.Put(ctx, sm.Control{Active: doc.Fallback, Fallback: doc.Active})
	}); err != nil {
		return fmt.Errorf("swap the roles: %w", err)
	}

	return nil
}
