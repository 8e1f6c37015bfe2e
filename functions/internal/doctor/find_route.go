package doctor

import (
	"cmp"
	"context"
	"fmt"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// RouteDrift is a route that does not send everyone to the fallback, though no release is under
// way.
const RouteDrift sm.FindingKind = "routeDrift"

type route struct {
	ledger ledger.Ledger
	routes routing.RouteStore
}

func (f route) find(ctx context.Context, v *view) ([]finding, error) {
	have, exists, err := f.routes.Get(ctx)
	want := sm.Route{
		Active: v.roles.Active, Fallback: v.roles.Fallback, Release: cmp.Or(v.last().Release,
			have.Release),
	}
	same := have.Active == want.Active && have.Fallback == want.Fallback && have.Weight == 0

	text := fmt.Sprintf("the route sends %s of the viewers to %s and the rest to %s, "+
		"but no release is under way and %s is the fallback",
		release.Percent(have.Weight), have.Active, have.Fallback, want.Fallback)

	switch {
	case sm.IsCorrupt(err):
		text = fmt.Sprintf("cannot read the route: %v", err)
	case err != nil:
		return nil, err
	case !exists:
		text = "there is no route"
	case same:
		return nil, nil
	}

	return []finding{{Finding: sm.Finding{
		Kind: RouteDrift, Subject: sm.RouteKey, Text: text,
		Repair: "send everyone to " + string(want.Fallback),
	}, repair: func(ctx context.Context, doc sm.Document) error {
		return f.routes.Put(ctx, want, f.ledger.Lease(doc).Verify)
	}}}, nil
}
