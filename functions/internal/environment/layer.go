package environment

import (
	"context"

	sm "lockstep/statemachine"
)

// Layer is one part of an environment, of which both environments have one: the aliases of the
// functions, say. All that writes, writes into doc.Active under the lease of doc, and writes the
// same when it runs twice.
//
// Every method returns Throttled where AWS is busy, and those that write return LockLost or
// StaleWrite as Lease.Verify does. Other errors have no name: they do not pass by themselves.
type Layer interface {
	// Prepare makes ready what a release brings and records it in state. It writes nothing that
	// active serves: every layer is prepared before the first one is deployed.
	Prepare(ctx context.Context, m sm.Manifest, state *sm.EnvironmentState) error
	// Deploy writes what the release brought, as Prepare recorded it in state. It returns what it did
	// in words, or "".
	Deploy(ctx context.Context, doc sm.Document, m sm.Manifest,
		state sm.EnvironmentState) (done string, err error)
	// Sync makes active the same as fallback, whose state is want; now is the state of active. It
	// returns what it did in words, or "".
	Sync(ctx context.Context, doc sm.Document, now, want sm.EnvironmentState) (done string, err error)
	// Rollback does the part of Sync that takes few calls and takes effect at once, and returns the
	// rest. The first part is called a second time where a stale writer may have been at work: it
	// covers whatever is written without a condition and matters to viewers.
	Rollback(ctx context.Context, doc sm.Document, want sm.EnvironmentState) (Rest, error)
	// Restore makes active what its own state says.
	Restore(ctx context.Context, doc sm.Document, state sm.EnvironmentState) error
	// Diff compares an environment with its state, and writes nothing.
	Diff(ctx context.Context, e sm.Environment, state sm.EnvironmentState) ([]Difference, error)
}

// Rest is what a layer's Rollback leaves for later. It returns what it did in words, or "", and
// the errors of Layer.
type Rest func(ctx context.Context) (done string, err error)

// DifferenceKind says what is wrong with the subject of a difference.
type DifferenceKind string

// The kinds of differences, each with its subject.
const (
	// AliasMoved is about a function whose alias names another version.
	AliasMoved DifferenceKind = "aliasMoved"
	// LiveMoved is about a function of which events call another release than viewers.
	LiveMoved DifferenceKind = "liveMoved"
	// StageMoved is about a stage that calls other aliases or stamps another release.
	StageMoved DifferenceKind = "stageMoved"
	// BundleLost is about the key of a site bundle that is missing or damaged.
	BundleLost DifferenceKind = "bundleLost"
	// PageChanged is about the path of a page that is missing, or is another one.
	PageChanged DifferenceKind = "pageChanged"
	// PageUnexpected is about the path of a page that is not in the site bundle.
	PageUnexpected DifferenceKind = "pageUnexpected"
)

// Difference is one thing in an environment that is not what the environment's state says.
type Difference struct {
	Kind    DifferenceKind
	Subject string // the function, stage, key or path
	Text    string // the difference in words, for an operator
}
