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

// Rollback brings everyone back to what fallback has, before or after the promotion. The weight
// goes to 0 first, but edges take a minute to hear of it. So at once, in one call, active's stage
// calls fallback's aliases, and active's entry pages become fallback's. From then on every new
// page and every call is the old release, wherever the edge sends it, and events call it again.
// The aliases follow at the pace that the quota allows.
//
// Where a stale writer may still be at work, because the machine gave an attempt up or the
// execution died, Rollback marks the aliases, and writes once more what has no condition. Run
// twice, it writes the same. It returns RollbackFailed.
type Rollback struct {
	environment.Layers

	Routes    routing.Routes
	Roles     routing.Roles
	Schedules timer.Schedules
}

// Run rolls back.
func (r *Rollback) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	entered, err := r.Ledger.Enter(ctx, doc, sm.Rollback)
	if err != nil {
		return doc, err
	}

	doc.StaleWriter = entered.StaleWriter || abandoned(doc.Failure)
	op := fmt.Sprintf("roll %s back", doc.Release)

	record, err := r.announce(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.RollbackFailed, op, err)
	}

	began := time.Now()

	text, err := r.rollBack(ctx, doc)
	if err == nil && doc.StaleWriter {
		err = r.writeAgain(ctx, doc, began)
	}

	if err != nil {
		return doc, sm.Wrap(sm.RollbackFailed, op, err)
	}

	// A timer that stays would only answer a used token.
	if record.Wait != nil && record.Wait.Schedule != "" {
		if err := r.Schedules.Cancel(ctx, record.Wait.Schedule); err != nil {
			return doc, sm.Wrap(sm.RollbackFailed, op, err)
		}
	}

	doc.Outcome, doc.Weight = sm.RolledBack, 0

	// Active stays as it is until the last edge has heard of it and the last call has ended.
	wait := max(r.Settings.CallTimeout.Std(), r.Settings.EdgeConvergence.Std())
	doc.WaitSeconds = int(math.Ceil(wait.Seconds()))

	event := sm.Event{State: sm.Rollback, Kind: sm.EventRolledBack, Text: text}
	_, err = r.Ledger.Append(ctx, doc, event, func(record *sm.Record) {
		record.Wait, record.Promoted = nil, nil
	})

	return doc, err
}

// announce says why before the first write: whoever sees things change can see the cause. A bus
// that is down holds no rollback up.
func (r *Rollback) announce(ctx context.Context, doc sm.Document) (sm.Record, error) {
	event := sm.Event{
		State: sm.Rollback, Kind: sm.EventRollingBack,
		Text: "rolling back: " + doc.Failure.Message(),
	}

	record, err := r.Ledger.Save(ctx, doc, event, func(record *sm.Record) {
		record.Cause, record.Weight, record.Preview = doc.Failure.AsCause(*record), 0, ""
	})
	if err == nil {
		_ = r.Ledger.Announce(ctx, record, doc, event)
	}

	return record, err
}

func (r *Rollback) rollBack(ctx context.Context, doc sm.Document) (string, error) {
	began := time.Now()
	back := sm.Route{Active: doc.Active, Fallback: doc.Fallback, Weight: 0, Release: doc.Release}

	if err := r.Routes.Put(ctx, back, r.Ledger.Lease(doc).Verify); err != nil {
		return "", err
	}

	from, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}

	if err := r.Stage.Write(ctx, doc, doc.Fallback, from.Release); err != nil {
		return "", err
	}

	api := time.Since(began)

	if _, err := r.Ledger.MarkOutOfSync(ctx, doc); err != nil {
		return "", err
	}

	pages, err := r.Site.Render(ctx, from.Site, doc.Active, from.Release)
	if err != nil {
		return "", err
	}

	if err := r.Site.WriteEntries(ctx, doc, from.Site, from.Release, pages); err != nil {
		return "", err
	}

	site := time.Since(began)

	moved, err := r.follow(ctx, doc, from, pages)
	if err != nil {
		return "", err
	}

	return fmt.Sprintf("everyone is back on %s: the API after %s, the pages after %s, %s after %s",
		release.OrNothing(from.Release), api.Round(time.Millisecond), site.Round(time.Millisecond),
		aliases(moved), time.Since(began).Round(time.Millisecond)), nil
}

// follow writes what viewers do not wait for: the roles, what events call, the aliases, the assets.
func (r *Rollback) follow(
	ctx context.Context, doc sm.Document, from sm.EnvironmentState, pages environment.Pages,
) (moved int, err error) {
	if err := r.writeRoles(ctx, doc); err != nil {
		return 0, err
	}

	if err := r.Events.Sync(ctx, doc, doc.Fallback); err != nil {
		return 0, err
	}

	if moved, err = r.Functions.Sync(ctx, doc); err != nil {
		return 0, err
	}

	if err := r.Site.WriteAssets(ctx, doc, from.Site, pages); err != nil {
		return 0, err
	}

	if err := r.Stage.Write(ctx, doc, doc.Active, from.Release); err != nil {
		return 0, err
	}

	return moved, r.Ledger.SaveEnvironment(ctx, doc, ledger.SyncedState(from, doc.Active))
}

func (r *Rollback) writeRoles(ctx context.Context, doc sm.Document) error {
	return r.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return r.Roles.Put(ctx, sm.Control{Active: doc.Active, Fallback: doc.Fallback})
	})
}

// writeAgain waits until no stale writer can write any more that verified the lease before the
// rollback began, and then writes the stage, the roles and the entry pages once more: these have
// no condition.
func (r *Rollback) writeAgain(ctx context.Context, doc sm.Document, began time.Time) error {
	if err := r.Ledger.Lease(doc).WaitOut(ctx, began); err != nil {
		return err
	}

	from, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return err
	}

	if err := r.Stage.Write(ctx, doc, doc.Active, from.Release); err != nil {
		return err
	}

	if err := r.writeRoles(ctx, doc); err != nil {
		return err
	}

	pages, err := r.Site.Render(ctx, from.Site, doc.Active, from.Release)
	if err != nil {
		return err
	}

	return r.Site.WriteEntries(ctx, doc, from.Site, from.Release, pages)
}

// abandoned tells whether the machine gave an attempt up without knowing how it ended: it may
// still be at work.
func abandoned(f *sm.Failure) bool {
	return f != nil && (f.Error == sm.StaleWrite || f.Error == sm.Throttled ||
		!slices.Contains(sm.ErrorNames(), f.Error))
}
