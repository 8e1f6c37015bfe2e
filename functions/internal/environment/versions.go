package environment

import (
	"context"

	sm "lockstep/statemachine"
)

// Versions reads and moves the aliases of the application's functions. Each method returns
// Throttled where Lambda is busy; those that write also StaleWrite, and what verify returns.
type Versions interface {
	// At is the version that the environment's alias names.
	At(ctx context.Context, name string, e sm.Environment) (sm.FunctionState, error)
	// Publish makes a version of the code at key, and returns the same one when it is called again.
	Publish(ctx context.Context, name, bucket, key, sha256hex string) (version string, err error)
	// Point moves the alias. It reads the alias, then calls verify, then writes on the condition that
	// the alias is still the same. A mark is written even where the alias is right: then the condition
	// of whoever read it before fails.
	Point(ctx context.Context, name string, e sm.Environment, version, mark string,
		verify func(context.Context) error) error
	// Followed is the version that the alias names which event sources call.
	Followed(ctx context.Context, name string) (sm.FunctionState, error)
	// Follow moves that alias, as Point does.
	Follow(ctx context.Context, name, version, mark string,
		verify func(context.Context) error) error
}

// sideBySide is how many functions are worked on at once; the adapter keeps to Lambda's quotas.
const sideBySide = 16
