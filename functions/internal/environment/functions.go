package environment

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// Functions is the layer of the aliases: each function has one per environment, on one published
// version.
type Functions struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Versions Versions
}

// Sync points every alias of active to the version that fallback's names, and counts those that it
// moved.
func (f Functions) Sync(ctx context.Context, doc sm.Document) (moved int, err error) {
	var count atomic.Int64

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)

	for _, function := range f.Settings.Functions {
		group.Go(func() error {
			want, err := f.Versions.At(ctx, function.Name, doc.Fallback)
			if err != nil {
				return err
			}

			have, err := f.Versions.At(ctx, function.Name, doc.Active)
			if err != nil {
				return err
			}

			switch {
			case have.Version != want.Version:
				count.Add(1)
			case f.Ledger.Lease(doc).Mark() == "":
				return nil
			}

			return f.point(ctx, doc, function.Name, want.Version)
		})
	}

	err = group.Wait()

	return int(count.Load()), err
}

// Deploy publishes a version of every function of the release and verifies them all before it
// moves the first alias. It returns what the aliases name then.
func (f Functions) Deploy(
	ctx context.Context, doc sm.Document, m sm.Manifest,
) (map[string]sm.FunctionState, error) {
	published, err := f.publish(ctx, m)
	if err != nil {
		return nil, err
	}

	for _, name := range m.FunctionNames() {
		if err := f.point(ctx, doc, name, published[name].Version); err != nil {
			return nil, err
		}
	}

	return published, nil
}

// publish makes a version of each function, side by side: Lambda takes seconds for each, and an
// application may have hundreds.
func (f Functions) publish(
	ctx context.Context, m sm.Manifest,
) (map[string]sm.FunctionState, error) {
	names := m.FunctionNames()
	versions := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)

	for i, name := range names {
		group.Go(func() (err error) {
			code := m.Functions[name]
			versions[i], err = f.Versions.Publish(ctx, name, f.Settings.StateBucket, m.Key(code),
				code.SHA256)

			return err
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	published := map[string]sm.FunctionState{}
	for i, name := range names {
		published[name] = sm.FunctionState{
			Release: m.Release, Version: versions[i], SHA256: m.Functions[name].SHA256,
		}
	}

	return published, nil
}

// Restore points the aliases of active to what a state says.
func (f Functions) Restore(
	ctx context.Context, doc sm.Document, state sm.EnvironmentState,
) error {
	for _, name := range slices.Sorted(maps.Keys(state.Functions)) {
		if err := f.point(ctx, doc, name, state.Functions[name].Version); err != nil {
			return err
		}
	}

	return nil
}

func (f Functions) point(ctx context.Context, doc sm.Document, name, version string) error {
	lease := f.Ledger.Lease(doc)

	return f.Versions.Point(ctx, name, doc.Active, version, lease.Mark(), lease.Verify)
}

// Diff compares the aliases of an environment with its state.
func (f Functions) Diff(
	ctx context.Context, e sm.Environment, state sm.EnvironmentState,
) ([]Difference, error) {
	var list []Difference

	for _, name := range slices.Sorted(maps.Keys(state.Functions)) {
		want := state.Functions[name]

		have, err := f.Versions.At(ctx, name, e)
		if err != nil {
			return nil, err
		}

		if have.Version != want.Version {
			list = append(list, Difference{LayerFunctions, name, fmt.Sprintf(
				"alias %s of %s names version %s, not %s", e, name, have.Version, want.Version)})
		}
	}

	return list, nil
}
