package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// preview lets testers into active with a secret that belongs to this release alone. It is kept in
// the record, from which the operator's command makes the link.
type preview struct {
	ledger ledger.Ledger
	routes routing.Routes
	secret func() string
}

// open writes a weight of 0, so only Deploy may call it: a stale attempt that wakes up after the
// ramp has begun would take the viewers away from active. It returns LockLost there.
func (p preview) open(ctx context.Context, doc sm.Document) error {
	lease := p.ledger.Lease(doc)
	if err := lease.Verify(ctx); err != nil {
		return err
	}

	record, err := p.ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.State != sm.Deploy {
			return sm.Errorf(sm.LockLost, "release %s: it is in %s by now: stop writing",
				doc.Release, r.State)
		}

		if r.Preview == "" {
			r.Preview = p.secret()
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("open the preview: %w", err)
	}

	return p.routes.Put(ctx, routing.Ramp(doc, 0, record), lease.Verify)
}
