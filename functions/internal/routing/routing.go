// Package routing says who is active and which share of the viewers active has: the control
// parameter and the route that the edge reads.
package routing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	sm "lockstep/statemachine"
)

// Roles reads and writes the control parameter.
type Roles interface {
	// Get reads the roles. It returns Throttled where the parameter store is busy, and an error
	// without a name where the parameter is missing or cannot be parsed.
	Get(ctx context.Context) (sm.Control, error)
	// Put writes the roles. It has no condition, so it belongs into a guarded write. It returns
	// Throttled where the parameter store is busy, and an error without a name for two roles of one
	// environment.
	Put(ctx context.Context, control sm.Control) error
}

// Ramp is the route of a release from Deploy to the end of its ramp. The weight is in basis points.
// The routes of Promote and Rollback have no preview: once the roles are swapped or the release is
// rolled back, active has nothing to show.
func Ramp(doc sm.Document, weight int, record sm.Record) sm.Route {
	route := sm.Route{Active: doc.Active, Fallback: doc.Fallback, Weight: weight, Release: doc.Release}

	if record.Preview != "" {
		sum := sha256.Sum256([]byte(record.Preview))
		route.Preview = hex.EncodeToString(sum[:])
	}

	return route
}

// Routes writes the one value that the edge reads.
type Routes interface {
	// Put calls verify once it knows what the route is now, and leaves the route alone on an error,
	// which it returns. A route that is there already is not written. It returns StaleWrite where
	// somebody else changed the route meanwhile, and Throttled where the store is busy.
	Put(ctx context.Context, route sm.Route, verify func(context.Context) error) error
}

// RouteStore reads and writes the route.
type RouteStore interface {
	Routes
	// Get reads the route; found is false where there is none yet. It returns Throttled where the
	// store is busy, and an error without a name where the route cannot be parsed.
	Get(ctx context.Context) (route sm.Route, found bool, err error)
}
