package ledger

import (
	"context"
	"maps"

	sm "lockstep/statemachine"
)

// Carries reads what an environment carries; a new one carries nothing.
func (b Ledger) Environment(ctx context.Context, e sm.Environment) (sm.EnvironmentState, error) {
	c := sm.EnvironmentState{Environment: e}
	_, err := b.Store.Get(ctx, sm.EnvironmentKey(e), &c)
	return c, err
}

// Carry writes what an environment carries, if the lock is still ours.
func (b Ledger) SaveEnvironment(ctx context.Context, doc sm.Document, c sm.EnvironmentState) error {
	_, err := b.carry(ctx, doc, c.Environment, func(now *sm.EnvironmentState) { *now = c })
	return err
}

// unsettle says that active is about to change, so that nobody takes it for whole until it is.
func (b Ledger) MarkOutOfSync(ctx context.Context, doc sm.Document) (sm.EnvironmentState, error) {
	return b.carry(ctx, doc, doc.Active, func(c *sm.EnvironmentState) { c.Environment, c.InSync = doc.Active, false })
}

func (b Ledger) carry(ctx context.Context, doc sm.Document, e sm.Environment, change func(*sm.EnvironmentState)) (sm.EnvironmentState, error) {
	return Update(ctx, b.Store, sm.EnvironmentKey(e), func(c *sm.EnvironmentState) error {
		change(c)
		c.Fence = doc.Fence
		return b.Hold(ctx, doc)
	})
}

// carried is what an environment carries once it is level with another.
func SyncedState(from sm.EnvironmentState, to sm.Environment) sm.EnvironmentState {
	c := from
	c.Environment, c.InSync, c.Functions = to, true, maps.Clone(from.Functions)
	return c
}
