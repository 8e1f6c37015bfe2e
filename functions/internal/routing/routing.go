// Package routing says who is active and which share of the viewers active has: the control
// parameter and the route that the edge reads.
package routing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	sm "lockstep/statemachine"
)

// Roles reads and swaps the control parameter.
type Roles interface {
	Get(ctx context.Context) (sm.Control, error)
	Put(ctx context.Context, control sm.Control) error
}

// rampRoute is the route of a release from Deploy to the end of its ramp. Once the roles are
// swapped or rolled back active has nothing to show, so the routes of Promote and Rollback have no
// preview.
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
	// Put calls verify when it knows what the route is now, and lets it be on an error.
	Put(ctx context.Context, route sm.Route, verify func(context.Context) error) error
}

// RouteStore reads and writes the route.
type RouteStore interface {
	Routes
	Get(ctx context.Context) (route sm.Route, found bool, err error)
}
