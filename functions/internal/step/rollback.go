package step

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Rollback brings everyone back to what fallback carries, before or after the promotion. The
// weight goes to 0 first, but edges take a minute to hear of it; so at once, in one call, active's
// stage calls fallback's aliases, and active's entry pages become fallback's. From then on every
// new page and every call is the old release, wherever the edge sends it; events call it again
// too. Then the aliases follow at the pace of the quota. Where a Lambda may still be at work that
// the machine gave up, or whose execution died, it seals the aliases, and writes once more what
// nothing can seal. Run twice, it writes the same. It returns RollbackFailed.
type Rollback struct {
	environment.Syncer
	Routes    routing.Routes
	Roles     routing.Roles
	Schedules timer.Schedules
}

func (r *Rollback) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	entered, err := r.Ledger.Enter(ctx, doc, sm.Rollback)
	if err != nil {
		return doc, err
	}

	doc.StaleWriter = entered.StaleWriter || abandoned(doc.Failure)
	op := fmt.Sprintf("roll %s back", doc.Release)
	// Said before the first write: whoever sees things change can see why.
	why := sm.Event{State: sm.Rollback, Kind: sm.EventRollingBack, Text: "rolling back: " +
		doc.Failure.Message()}

	record, err := r.Ledger.Save(ctx, doc, why, func(record *sm.Record) {
		record.Cause, record.Weight, record.Preview = doc.Failure.AsCause(*record), 0, ""
	})
	if err != nil {
		return doc, sm.Wrap(sm.RollbackFailed, op, err)
	}

	_ = r.Ledger.Announce(ctx, record, doc, why) // a bus that is down holds no rollback up
	began := time.Now()

	text, err := r.rollBack(ctx, doc)
	if err == nil && doc.StaleWriter {
		err = r.anew(ctx, doc, began)
	}

	if err != nil {
		return doc, sm.Wrap(sm.RollbackFailed, op, err)
	}

	if record.Wait != nil && record.Wait.Schedule != "" {
		// Were it left, it would only answer a token that is used up.
		if err := r.Schedules.Cancel(ctx, record.Wait.Schedule); err != nil {
			return doc, sm.Wrap(sm.RollbackFailed, op, err)
		}
	}

	doc.Outcome, doc.Weight = sm.RolledBack, 0
	// Until the last edge has heard of it, and the last call has ended, active must stay as it is now.
	doc.WaitSeconds = int(math.Ceil(max(r.Settings.CallTimeout.Std(),
		r.Settings.EdgeConvergence.Std()).Seconds()))
	_, err = r.Ledger.Append(ctx, doc, sm.Event{State: sm.Rollback, Kind: sm.EventRolledBack,
		Text: text}, func(record *sm.Record) { record.Wait, record.Promoted = nil, nil })

	return doc, err
}

func (r *Rollback) rollBack(ctx context.Context, doc sm.Document) (string, error) {
	began := time.Now()

	if err := r.Routes.Put(ctx, sm.Route{Active: doc.Active, Fallback: doc.Fallback, Weight: 0,
		Release: doc.Release}, r.Ledger.Lease(doc).Verify); err != nil {
		return "", err
	}

	from, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}

	if err := r.Stage(ctx, doc, doc.Fallback, from.Release); err != nil {
		return "", err
	}

	api := time.Since(began)

	if _, err := r.Ledger.MarkOutOfSync(ctx, doc); err != nil {
		return "", err
	}

	assets, entries, err := r.Render(ctx, from.Site, doc.Active, from.Release)
	if err != nil {
		return "", err
	}

	if err := r.Entries(ctx, doc, from.Site, from.Release, entries); err != nil {
		return "", err
	}

	pages := time.Since(began)

	if err := r.roles(ctx, doc); err != nil {
		return "", err
	}

	if err := r.Follower().Follow(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}

	moved, err := r.Functions(ctx, doc)
	if err != nil {
		return "", err
	}

	if err := r.Assets(ctx, doc, from.Site, assets); err != nil {
		return "", err
	}

	if err := r.Stage(ctx, doc, doc.Active, from.Release); err != nil {
		return "", err
	}

	if err := r.Ledger.SaveEnvironment(ctx, doc, ledger.SyncedState(from, doc.Active)); err != nil {
		return "", err
	}

	return fmt.Sprintf("everyone is back on %s: the API after %s, the pages after %s, %s after %s",
		release.OrNothing(from.Release),
		api.Round(time.Millisecond), pages.Round(time.Millisecond), environment.Aliases(moved), time.Since(began).Round(time.Millisecond)), nil
}

func (r *Rollback) roles(ctx context.Context, doc sm.Document) error {
	return r.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return r.Roles.Put(ctx, sm.Control{Active: doc.Active, Fallback: doc.Fallback})
	})
}

// abandoned tells whether the machine gave up a call, of which it does not know how it ended, or
// gave up to call.
func abandoned(f *sm.Failure) bool {
	return f != nil && (f.Error == sm.StaleWrite || f.Error == sm.Throttled ||
		!slices.Contains(sm.ErrorNames(), f.Error))
}

// anew writes the stage, the roles and the entry pages again when a Lambda that lingers, which may
// have looked at the lock just before the rollback began, does not write any more.
func (r *Rollback) anew(ctx context.Context, doc sm.Document, began time.Time) error {
	if err := r.Ledger.Lease(doc).WaitOut(ctx, began); err != nil {
		return err
	}

	from, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return err
	}

	if err := r.Stage(ctx, doc, doc.Active, from.Release); err != nil {
		return err
	}

	if err := r.roles(ctx, doc); err != nil {
		return err
	}

	_, entries, err := r.Render(ctx, from.Site, doc.Active, from.Release)
	if err != nil {
		return err
	}

	return r.Entries(ctx, doc, from.Site, from.Release, entries)
}
