package environment

import (
	"context"
	"fmt"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Stages reads and sets which aliases an API stage calls: one call turns every function at once.
// Both return Throttled.
type Stages interface {
	Set(ctx context.Context, e, alias sm.Environment, release string) error
	Get(ctx context.Context, e sm.Environment) (alias sm.Environment, release string, err error)
}

// Stage is the layer of the API stage.
type Stage struct {
	Ledger ledger.Ledger
	Stages Stages
}

// Write has active's stage call an environment's aliases, as a release. UpdateStage has no
// condition.
func (s Stage) Write(
	ctx context.Context, doc sm.Document, alias sm.Environment, releaseID string,
) error {
	return s.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return s.Stages.Set(ctx, doc.Active, alias, releaseID)
	})
}

// Diff compares the stage of an environment with its state.
func (s Stage) Diff(
	ctx context.Context, e sm.Environment, state sm.EnvironmentState,
) ([]Difference, error) {
	alias, stamp, err := s.Stages.Get(ctx, e)
	if err != nil || alias == e && stamp == state.Release {
		return nil, err
	}

	return []Difference{{LayerStage, e.Stage(), fmt.Sprintf("stage %s calls the aliases %s as %s",
		e.Stage(), alias, release.OrNothing(stamp))}}, nil
}
