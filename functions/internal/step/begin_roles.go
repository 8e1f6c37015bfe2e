package step

import (
	"context"

	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// trueRoles reads the roles. SSM has no conditional write, and people edit parameters by hand, but
// viewers go by the route: where the two contradict each other, the route is right.
type trueRoles struct {
	roles  routing.Roles
	routes routing.RouteStore
}

// roles are what the control parameter says, what is true, and the weight of the route.
type roles struct {
	said, control sm.Control
	weight        int
}

func (t trueRoles) read(ctx context.Context) (roles, error) {
	said, err := t.roles.Get(ctx)
	if err != nil {
		return roles{}, err
	}

	route, found, err := t.routes.Get(ctx)
	// A route that cannot be parsed is written over by this release.
	if err != nil && !sm.IsCorrupt(err) {
		return roles{}, err
	}

	swapped := sm.Control{Active: said.Fallback, Fallback: said.Active}
	if found && route.Active == swapped.Active && route.Fallback == swapped.Fallback {
		return roles{said, swapped, route.Weight}, nil
	}

	return roles{said, said, route.Weight}, nil
}
