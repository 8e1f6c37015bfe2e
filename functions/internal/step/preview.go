package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	sm "lockstep/statemachine"
)

// openPreview lets testers into active: with a secret that is this release's alone, kept in its record, from which
// the operator's command makes the link. It writes a weight of 0, so nothing but Deploy may call it: one that comes
// back after the ramp has begun would take the viewers away from it.
func (d *Deploy) openPreview(ctx context.Context, doc sm.Document) error {
	if err := d.Book.Hold(ctx, doc); err != nil {
		return err
	}
	record, err := d.Book.Update(ctx, doc, func(r *sm.Record) error {
		if r.State != sm.Deploy {
			return sm.Errorf(sm.LockLost, "release %s: it is in %s by now: stop writing", doc.Release, r.State)
		}
		if r.Preview == "" {
			r.Preview = d.Secret()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("open the preview: %w", err)
	}
	return d.Routes.Put(ctx, rampRoute(doc, 0, record), d.Book.Mine(doc))
}

// rampRoute is the route of a release from Deploy to the end of its ramp. Once the roles are swapped or rolled back
// active has nothing to show, so the routes of Promote and Rollback have no preview.
func rampRoute(doc sm.Document, weight int, record sm.Record) sm.Route {
	route := sm.Route{Active: doc.Active, Fallback: doc.Fallback, Weight: weight, Release: doc.Release}
	if record.Preview != "" {
		sum := sha256.Sum256([]byte(record.Preview))
		route.Preview = hex.EncodeToString(sum[:])
	}
	return route
}
