package ledger

import (
	"context"
	"maps"

	sm "lockstep/statemachine"
)

// Environment reads the state of an environment; a new one has no release.
func (l Ledger) Environment(ctx context.Context, e sm.Environment) (sm.EnvironmentState, error) {
	state := sm.EnvironmentState{Environment: e}
	_, err := l.Store.Get(ctx, sm.EnvironmentKey(e), &state)

	return state, err
}

// SaveEnvironment writes the state of an environment, under the lease.
func (l Ledger) SaveEnvironment(ctx context.Context, doc sm.Document,
	state sm.EnvironmentState) error {
	_, err := l.updateEnvironment(ctx, doc, state.Environment,
		func(now *sm.EnvironmentState) { *now = state })

	return err
}

// MarkOutOfSync says that active is about to change, so that nobody takes it for complete until it
// is.
func (l Ledger) MarkOutOfSync(ctx context.Context, doc sm.Document) (sm.EnvironmentState, error) {
	return l.updateEnvironment(ctx, doc, doc.Active, func(state *sm.EnvironmentState) {
		state.Environment, state.InSync = doc.Active, false
	})
}

// NewestFence is the greatest fencing token under which an environment was changed.
func (l Ledger) NewestFence(ctx context.Context) (fence int64, err error) {
	for _, e := range sm.Environments() {
		state, err := l.Environment(ctx, e)
		if err != nil {
			return 0, err
		}

		fence = max(fence, state.Fence)
	}

	return fence, nil
}

func (l Ledger) updateEnvironment(ctx context.Context, doc sm.Document, e sm.Environment,
	change func(*sm.EnvironmentState),
) (sm.EnvironmentState, error) {
	return Update(ctx, l.Store, sm.EnvironmentKey(e), func(state *sm.EnvironmentState) error {
		change(state)
		state.Fence = doc.Fence

		return l.Lease(doc).Verify(ctx)
	})
}

// SyncedState is the state of an environment once it is in sync with another.
func SyncedState(from sm.EnvironmentState, to sm.Environment) sm.EnvironmentState {
	state := from
	state.Environment, state.InSync, state.Functions = to, true, maps.Clone(from.Functions)

	return state
}
