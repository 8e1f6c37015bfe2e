package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// openPreview lets testers into active: with a secret that is this release's alone, kept in its
// record, from which the operator's command makes the link. It writes a weight of 0, so nothing
// but Deploy may call it: one that comes back after the ramp has begun would take the viewers away
// from it.
func (d *Deploy) openPreview(ctx context.Context, doc sm.Document) error {
	if err := d.Ledger.Lease(doc).Verify(ctx); err != nil {
		return err
	}

	record, err := d.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if r.State != sm.Deploy {
			return sm.Errorf(sm.LockLost, "release %s: it is in %s by now: stop writing", doc.Release,
				r.State)
		}

		if r.Preview == "" {
			r.Preview = d.Secret()
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("open the preview: %w", err)
	}

	return d.Routes.Put(ctx, routing.Ramp(doc, 0, record), d.Ledger.Lease(doc).Verify)
}
