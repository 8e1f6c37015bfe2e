package ledger

import (
	"context"
	"maps"

	sm "lockstep/statemachine"
)

// Carries reads what an environment carries; a new one carries nothing.
func (b Ledger) Carries(ctx context.Context, e sm.Environment) (sm.Carries, error) {
	c := sm.Carries{Environment: e}
	_, err := b.Store.Get(ctx, sm.CarriesKey(e), &c)
	return c, err
}

// Carry writes what an environment carries, if the lock is still ours.
func (b Ledger) Carry(ctx context.Context, doc sm.Document, c sm.Carries) error {
	_, err := b.carry(ctx, doc, c.Environment, func(now *sm.Carries) { *now = c })
	return err
}

// unsettle says that active is about to change, so that nobody takes it for whole until it is.
func (b Ledger) Unsettle(ctx context.Context, doc sm.Document) (sm.Carries, error) {
	return b.carry(ctx, doc, doc.Active, func(c *sm.Carries) { c.Environment, c.Settled = doc.Active, false })
}

func (b Ledger) carry(ctx context.Context, doc sm.Document, e sm.Environment, change func(*sm.Carries)) (sm.Carries, error) {
	return Update(ctx, b.Store, sm.CarriesKey(e), func(c *sm.Carries) error {
		change(c)
		c.Fence = doc.Fence
		return b.Hold(ctx, doc)
	})
}

// carried is what an environment carries once it is level with another.
func Level(from sm.Carries, to sm.Environment) sm.Carries {
	c := from
	c.Environment, c.Settled, c.Functions = to, true, maps.Clone(from.Functions)
	return c
}
