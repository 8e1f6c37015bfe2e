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

// Functions is the layer of the functions: the aliases a and b that each function has, each of
// which names one published version.
type Functions struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Versions Versions
}

// Prepare publishes the functions that the release brings, side by side: Lambda takes seconds for
// each, and an application may have hundreds. State keeps what it said of the others. Unchanged
// code publishes no new version.
func (f Functions) Prepare(ctx context.Context, m sm.Manifest, state *sm.EnvironmentState) error {
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
		return err
	}

	if state.Functions == nil {
		state.Functions = map[string]sm.FunctionState{}
	}

	for i, name := range names {
		state.Functions[name] = sm.FunctionState{Release: m.Release, Version: versions[i],
			SHA256: m.Functions[name].SHA256}
	}

	return nil
}

// Deploy moves the aliases of the functions that the release brings, and of no others.
func (f Functions) Deploy(ctx context.Context, doc sm.Document, m sm.Manifest,
	state sm.EnvironmentState) (string, error) {
	for _, name := range m.FunctionNames() {
		if err := f.point(ctx, doc, name, state.Functions[name].Version); err != nil {
			return "", err
		}
	}

	if len(m.Functions) == 0 {
		return "no new functions", nil
	}

	return fmt.Sprintf("functions: %d", len(m.Functions)), nil
}

// Sync points every alias of active at the version that fallback's names, whatever the states say:
// the aliases of fallback are what viewers call.
func (f Functions) Sync(ctx context.Context, doc sm.Document,
	_, _ sm.EnvironmentState) (string, error) {
	var moved atomic.Int64

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)

	for _, app := range f.Settings.Functions {
		group.Go(func() error {
			want, err := f.Versions.At(ctx, app.Name, doc.Fallback)
			if err != nil {
				return err
			}

			have, err := f.Versions.At(ctx, app.Name, doc.Active)
			if err != nil {
				return err
			}

			switch {
			case have.Version != want.Version:
				moved.Add(1)
			case f.Ledger.Lease(doc).Mark() == "":
				return nil
			}

			return f.point(ctx, doc, app.Name, want.Version)
		})
	}

	if err := group.Wait(); err != nil {
		return "", err
	}

	if moved.Load() == 1 {
		return "1 alias moved", nil
	}

	return fmt.Sprintf("%d aliases moved", moved.Load()), nil
}

// Rollback leaves all to the rest: the stage already calls fallback's aliases, and Lambda's quota
// makes this slow. The mark keeps a stale writer from moving an alias afterwards.
func (f Functions) Rollback(_ context.Context, doc sm.Document,
	want sm.EnvironmentState) (Rest, error) {
	return func(ctx context.Context) (string, error) {
		return f.Sync(ctx, doc, sm.EnvironmentState{}, want)
	}, nil
}

// Restore points the aliases at the versions that state says.
func (f Functions) Restore(ctx context.Context, doc sm.Document,
	state sm.EnvironmentState) error {
	for _, name := range slices.Sorted(maps.Keys(state.Functions)) {
		if err := f.point(ctx, doc, name, state.Functions[name].Version); err != nil {
			return err
		}
	}

	return nil
}

// Diff finds aliases that name another version than state says, in the order of the functions'
// names.
func (f Functions) Diff(ctx context.Context, e sm.Environment,
	state sm.EnvironmentState) ([]Difference, error) {
	var found []Difference

	for _, name := range slices.Sorted(maps.Keys(state.Functions)) {
		want := state.Functions[name]

		have, err := f.Versions.At(ctx, name, e)
		if err != nil {
			return nil, err
		}

		if have.Version != want.Version {
			found = append(found, Difference{AliasMoved, name, fmt.Sprintf(
				"alias %s of %s names version %s, not %s", e, name, have.Version, want.Version)})
		}
	}

	return found, nil
}

func (f Functions) point(ctx context.Context, doc sm.Document, name, version string) error {
	lease := f.Ledger.Lease(doc)

	return f.Versions.Point(ctx, name, doc.Active, version, lease.Mark(), lease.Verify)
}
