package doctor

import (
	"context"
	"slices"

	sm "lockstep/statemachine"
)

// Archive reads the ledger's objects whatever is in them, and their versions. Each method returns
// Throttled.
type Archive interface {
	// Raw reads an object. A missing one has no etag and no data, a deleted one no etag and the data
	// of its previous version.
	Raw(ctx context.Context, key string) (data []byte, etag string, err error)
	// Previous reads the newest version of an object that is accepted.
	Previous(ctx context.Context, key string, accept func([]byte) bool,
	) (data []byte, found bool, err error)
	List(ctx context.Context, prefix string) ([]string, error)
}

// view is what the ledger says.
type view struct {
	lock sm.Lock
	// records are those of releases, by fencing token: the newest last, and first those that never
	// began.
	records      []sm.Record
	environments map[sm.Environment]sm.EnvironmentState
	// newest is the greatest fencing token that any record or environment has.
	newest int64
	roles  sm.Control
}

// record is that of a release.
func (v *view) record(release string) (sm.Record, bool) {
	i := slices.IndexFunc(v.records, func(r sm.Record) bool { return r.Release == release })
	if i < 0 {
		return sm.Record{}, false
	}

	return v.records[i], true
}

// last is the record of the release that began last.
func (v *view) last() (last sm.Record) {
	if n := len(v.records); n > 0 {
		last = v.records[n-1]
	}

	return last
}

// rolesOf are the roles that the ledger says: those after the newest release. Before the first one
// they are the route's.
func rolesOf(last sm.Record, route sm.Route) sm.Control {
	switch {
	case last.Fence > 0 && last.Outcome == sm.Released:
		return sm.Control{Active: last.Fallback, Fallback: last.Active}
	case last.Fence > 0:
		return sm.Control{Active: last.Active, Fallback: last.Fallback}
	case route.Active != "" && route.Active.Other() == route.Fallback:
		return sm.Control{Active: route.Active, Fallback: route.Fallback}
	}

	return sm.Control{Active: sm.A, Fallback: sm.B}
}
