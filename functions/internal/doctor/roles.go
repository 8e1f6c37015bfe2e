package doctor

import (
	"context"
	"fmt"
	"slices"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/schema"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// examineRoles holds the control parameter and the route against the ledger.
func (r *Repair) examineRoles(ctx context.Context, b books) ([]fix, error) {
	var fixes []fix

	want := r.roles(ctx, b)

	have, err := r.Roles.Get(ctx)
	switch {
	case err != nil && sm.Name(err) != "": // it will pass
		return nil, err
	case err != nil || have != want:
		what := fmt.Sprintf("the control parameter says that %s is active and %s the fallback, the "+
			"ledger that %s is active", have.Active, have.Fallback, want.Active)
		if err != nil {
			what = "the control parameter is not to be understood: " + err.Error()
		}

		fixes = append(fixes, fix{sm.Finding{What: what,
			Repair: fmt.Sprintf("write that %s is active and %s the fallback", want.Active,
				want.Fallback)}, false,
			func(ctx context.Context, doc sm.Document) error {
				return r.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
					return r.Roles.Put(ctx,
						want)
				})
			}})
	}

	route, found, err := r.Routes.Get(ctx)
	if err != nil && sm.Name(err) != "" {
		return nil, err
	}

	if err != nil || !found || route.Active != want.Active || route.Fallback != want.Fallback ||
		route.Weight != 0 {
		what := fmt.Sprintf("the route sends %s of the viewers to %s and the rest to %s, but no release "+
			"is under way and %s is the fallback",
			release.Percent(route.Weight), route.Active, route.Fallback, want.Fallback)
		if err != nil {
			what = "the route is not to be understood: " + err.Error()
		} else if !found {
			what = "there is no route"
		}

		id := route.Release
		if newest := b.newest(); newest.Release != "" {
			id = newest.Release
		}

		fixes = append(fixes, fix{sm.Finding{What: what, Repair: "send everyone to " +
			string(want.Fallback)}, false, func(ctx context.Context, doc sm.Document) error {
			return r.Routes.Put(ctx, sm.Route{Active: want.Active, Fallback: want.Fallback, Release: id},
				r.Ledger.Lease(doc).Verify)
		}})
	}

	return fixes, nil
}

// examineSchedules finds clocks that nobody waits for. A merge that a freeze keeps from beginning
// waits for its own.
func (r *Repair) examineSchedules(ctx context.Context, b books) ([]fix, error) {
	names, err := r.Recover.Schedules.List(ctx)
	if err != nil {
		return nil, err
	}

	var fixes []fix

	for _, name := range names {
		if slices.ContainsFunc(
			b.lock.Queue, func(p sm.QueueEntry) bool { return timer.FreezeName(p.Execution) == name }) {
			continue
		}

		fixes = append(fixes, fix{sm.Finding{What: fmt.Sprintf("the schedule %s is still to come, but "+
			"no release is under way", name), Repair: "delete it"}, false,
			func(ctx context.Context, _ sm.Document) error { return r.Recover.Schedules.Cancel(ctx, name) }})
	}

	return fixes, nil
}

// examineSchema finds migrations of releases that are not live.
func (r *Repair) examineSchema(ctx context.Context, b books) ([]fix, error) {
	widened, err := r.widened(ctx)
	if err != nil {
		return nil, err
	}

	var fixes []fix

	for _, id := range widened {
		i := slices.IndexFunc(b.records, func(x sm.Record) bool { return x.Release == id })
		switch {
		case i < 0 && !b.broken, i >= 0 && b.records[i].Outcome != sm.Released:
			fixes = append(fixes, fix{sm.Finding{What: fmt.Sprintf("the schema is still widened for %s, "+
				"which is not live", id), Repair: "undo its expand migrations"}, false,
				func(ctx context.Context, doc sm.Document) error {
					if err := r.Ledger.Lease(doc).Verify(ctx); err != nil {
						return err
					}

					database, err := r.Open(ctx, r.Ledger.Lease(doc).SchemaToken())
					if err != nil {
						return err
					}
					defer database.Close()

					if _, err := database.UndoExpand(ctx, id); err != nil || i < 0 {
						return err
					}

					_, err = ledger.Update(ctx, r.Ledger.Store, sm.RecordKey(id),
						func(record *sm.Record) error { record.Expanded = false; return nil })

					return err
				}})
		case i >= 0:
			fixes = append(fixes, fix{sm.Finding{What: fmt.Sprintf("%s is live, but the schema was never "+
				"narrowed to it", id), Repair: "run its contract migrations"}, false,
				func(ctx context.Context, doc sm.Document) error {
					if err := r.Ledger.Lease(doc).Verify(ctx); err != nil {
						return err
					}

					database, migrations, err := schema.Migrations(ctx, r.Bundles, r.Open, id,
						r.Ledger.Lease(doc).SchemaToken())
					if err != nil || database == nil {
						return err
					}
					defer database.Close()

					_, err = database.Contract(ctx, id, migrations)

					return err
				}})
		}
	}

	return fixes, nil
}

// widened names the releases whose expand migrations can still be undone.
func (r *Repair) widened(ctx context.Context) ([]string, error) {
	if r.Settings.Database == nil {
		return nil, nil
	}

	database, err := r.Open(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer database.Close()

	return database.Widened(ctx)
}
