package environment

import (
	"context"
	"fmt"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Stages are the API's stages. A stage finds every function by one alias, so one call moves them
// all. Both methods return Throttled where API Gateway is busy.
type Stages interface {
	// Set makes the stage of e call the aliases of alias and stamp the release, "" for none. It has no
	// condition, so it belongs into a guarded write.
	Set(ctx context.Context, e, alias sm.Environment, release string) error
	// Get is which aliases the stage calls and which release it stamps, "" for none.
	Get(ctx context.Context, e sm.Environment) (alias sm.Environment, release string, err error)
}

// Stage is the layer of the API stage: which aliases it calls, and which release it stamps.
type Stage struct {
	Ledger ledger.Ledger
	Stages Stages
}

// Prepare does nothing: a release brings no stage.
func (Stage) Prepare(context.Context, sm.Manifest, *sm.EnvironmentState) error { return nil }

// Deploy makes the stage call its own aliases and stamp the release of state.
func (s Stage) Deploy(ctx context.Context, doc sm.Document, _ sm.Manifest,
	state sm.EnvironmentState) (string, error) {
	return "", s.set(ctx, doc, doc.Active, state.Release)
}

// Sync makes the stage call its own aliases and stamp the release of fallback.
func (s Stage) Sync(ctx context.Context, doc sm.Document,
	_, want sm.EnvironmentState) (string, error) {
	return "", s.set(ctx, doc, doc.Active, want.Release)
}

// Rollback makes the stage call fallback's aliases, which takes every function back in one call.
// The rest gives it its own aliases again, once they name fallback's versions too.
func (s Stage) Rollback(ctx context.Context, doc sm.Document,
	want sm.EnvironmentState) (Rest, error) {
	if err := s.set(ctx, doc, doc.Fallback, want.Release); err != nil {
		return nil, err
	}

	return func(ctx context.Context) (string, error) {
		return s.Sync(ctx, doc, sm.EnvironmentState{}, want)
	}, nil
}

// Restore makes the stage call its own aliases and stamp the release of state.
func (s Stage) Restore(ctx context.Context, doc sm.Document,
	state sm.EnvironmentState) error {
	return s.set(ctx, doc, doc.Active, state.Release)
}

// Diff finds a stage that calls the other environment's aliases or stamps another release than
// state says.
func (s Stage) Diff(ctx context.Context, e sm.Environment,
	state sm.EnvironmentState) ([]Difference, error) {
	alias, stamp, err := s.Stages.Get(ctx, e)
	if err != nil || alias == e && stamp == state.Release {
		return nil, err
	}

	return []Difference{{StageMoved, e.Stage(), fmt.Sprintf(
		"stage %s calls the aliases %s as %s", e.Stage(), alias, release.OrNothing(stamp))}}, nil
}

func (s Stage) set(ctx context.Context, doc sm.Document, alias sm.Environment,
	releaseID string) error {
	return s.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return s.Stages.Set(ctx, doc.Active, alias, releaseID)
	})
}
