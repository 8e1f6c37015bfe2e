package environment

import (
	"context"

	sm "lockstep/statemachine"
)

// Versions publishes versions of the application's functions, by their names in manifests, and
// moves their aliases. Every method returns Throttled where Lambda is busy, and an error without a
// name for a function that the settings do not have or that Lambda refuses.
type Versions interface {
	// At is the version that the environment's alias names. Its Release is empty.
	At(ctx context.Context, name string, e sm.Environment) (sm.FunctionState, error)
	// Publish makes a version of the code at key, and returns the same one when it is called again. It
	// returns an error without a name where the published code has another digest.
	Publish(ctx context.Context, name, bucket, key, sha256hex string) (version string, err error)
	// Point moves the alias. It reads the alias, then calls verify, whose error it returns, then
	// writes on the condition that the alias is still the same, StaleWrite if not. A mark is written
	// even where the alias is right: then the condition of whoever read it before fails.
	Point(ctx context.Context, name string, e sm.Environment, version, mark string,
		verify func(context.Context) error) error
	// Followed is the version that the alias live names, which event sources call.
	Followed(ctx context.Context, name string) (sm.FunctionState, error)
	// Follow moves the alias live as Point moves the others, with the same errors.
	Follow(ctx context.Context, name, version, mark string,
		verify func(context.Context) error) error
}

// sideBySide is how many functions are worked on at once; the adapter keeps to Lambda's quotas.
const sideBySide = 16
