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
// goes to 0 first, but edges take a minute to hear of it. So at once active's stage calls
// fallback's aliases, in one call, and active's entry pages become fallback's. From then on every
// new page and every call is the old release, wherever the edge sends it, and events call it again
// too. Then the aliases follow at the pace of the quota.
//
// Where a stale writer may still be at work, it marks the aliases, and writes once more what has
// no condition. Run twice, it writes the same. Its errors are RollbackFailed, unless they have the
// name of a lease lost or of AWS being busy.
type Rollback struct {
	environment.Layers
	Routes    routing.Routes
	Roles     routing.Roles
	Schedules timer.Schedules
}

// Run rolls the release back and answers with the outcome, the weight, and how many seconds active
// must stay as it is now: until the last edge has heard of the weight and the last call has ended.
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

	if record.Wait != nil && record.Wait.Schedule != "" {
		// If it were left, it would only answer a token that is used up.
		if err := r.Schedules.Cancel(ctx, record.Wait.Schedule); err != nil {
			return doc, sm.Wrap(sm.RollbackFailed, op, err)
		}
	}

	doc.Outcome, doc.Weight = sm.RolledBack, 0
	doc.WaitSeconds = int(math.Ceil(max(r.Settings.CallTimeout.Std(),
		r.Settings.EdgeConvergence.Std()).Seconds()))

	event := sm.Event{State: sm.Rollback, Kind: sm.EventRolledBack, Text: text}
	_, err = r.Ledger.Append(ctx, doc, event, func(record *sm.Record) {
		record.Wait, record.Promoted = nil, nil
	})

	return doc, err
}

// announce records and announces the cause before the first write, so that whoever sees things
// change can see why.
func (r *Rollback) announce(ctx context.Context, doc sm.Document) (sm.Record, error) {
	event := sm.Event{State: sm.Rollback, Kind: sm.EventRollingBack,
		Text: "rolling back: " + doc.Failure.Message()}

	record, err := r.Ledger.Save(ctx, doc, event, func(record *sm.Record) {
		record.Cause, record.Weight, record.Preview = doc.Failure.AsCause(*record), 0, ""
	})
	if err == nil {
		_ = r.Ledger.Announce(ctx, record, doc, event) // a bus that is down holds no rollback up
	}

	return record, err
}

// rollBack does what viewers notice first, and as fast as AWS allows: the stage, then the entry
// pages. Roles, events, aliases and assets can wait that long.
func (r *Rollback) rollBack(ctx context.Context, doc sm.Document) (text string, err error) {
	began := time.Now()

	if err := r.Routes.Put(ctx, sm.Route{Active: doc.Active, Fallback: doc.Fallback, Weight: 0,
		Release: doc.Release}, r.Ledger.Lease(doc).Verify); err != nil {
		return "", err
	}

	want, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}

	restOfStage, err := r.Stage.Rollback(ctx, doc, want)
	if err != nil {
		return "", err
	}

	api := time.Since(began)

	if _, err := r.Ledger.MarkOutOfSync(ctx, doc); err != nil {
		return "", err
	}

	rest, err := r.Layers.Rollback(ctx, doc, want)
	if err != nil {
		return "", err
	}

	pages := time.Since(began)

	if err := r.writeRoles(ctx, doc); err != nil {
		return "", err
	}

	if err := r.Events.Sync(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}

	done, err := rest(ctx)
	if err != nil {
		return "", err
	}

	if _, err := restOfStage(ctx); err != nil {
		return "", err
	}

	if err := r.Ledger.SaveEnvironment(ctx, doc, ledger.SyncedState(want, doc.Active)); err != nil {
		return "", err
	}

	return fmt.Sprintf("everyone is back on %s: the API after %s, the pages after %s, all after %s; "+
		"%s", release.OrNothing(want.Release), api.Round(time.Millisecond),
		pages.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), done), nil
}

func (r *Rollback) writeRoles(ctx context.Context, doc sm.Document) error {
	return r.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return r.Roles.Put(ctx, sm.Control{Active: doc.Active, Fallback: doc.Fallback})
	})
}

// abandoned tells whether the machine gave up a call of which it does not know how it ended, or
// gave up calling.
func abandoned(f *sm.Failure) bool {
	return f != nil && (f.Error == sm.StaleWrite || f.Error == sm.Throttled ||
		!slices.Contains(sm.ErrorNames(), f.Error))
}

// writeAgain writes the stage, the roles and the entry pages again, which have no condition, once
// no write of a stale writer can arrive any more that verified its lease before the rollback
// began.
func (r *Rollback) writeAgain(ctx context.Context, doc sm.Document, began time.Time) error {
	if err := r.Ledger.Lease(doc).WaitOut(ctx, began); err != nil {
		return err
	}

	want, err := r.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return err
	}

	if _, err := r.Stage.Sync(ctx, doc, sm.EnvironmentState{}, want); err != nil {
		return err
	}

	if err := r.writeRoles(ctx, doc); err != nil {
		return err
	}

	_, err = r.Layers.Rollback(ctx, doc, want)

	return err
}
