package environment

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// Events is what event sources call: the alias live of every function that has some. It is no layer
// of one environment. Events have no viewer whom a ramp could assign, so they call the release that
// serves: the fallback's, which a promotion changes and a rollback changes back.
type Events struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Versions Versions
}

// Sync points every alias live at the version that an environment's alias names. Run twice, it
// finds nothing to move. It returns the errors of Layer.
func (v Events) Sync(ctx context.Context, doc sm.Document, with sm.Environment) error {
	lease := v.Ledger.Lease(doc)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)

	for _, function := range v.Settings.Functions {
		if !function.Live {
			continue
		}

		group.Go(func() error {
			serves, err := v.Versions.At(ctx, function.Name, with)
			if err != nil {
				return err
			}

			return v.Versions.Follow(ctx, function.Name, serves.Version, lease.Mark(), lease.Verify)
		})
	}

	if err := group.Wait(); err != nil {
		return fmt.Errorf("point the alias %s at what %s has: %w", sm.LiveAlias, with, err)
	}

	return nil
}

// Diff compares what events call with what the environment that serves has. A function that its
// state does not name is compared with the environment's alias.
func (v Events) Diff(
	ctx context.Context, e sm.Environment, state sm.EnvironmentState,
) ([]Difference, error) {
	var found []Difference

	for _, function := range v.Settings.Functions {
		if !function.Live {
			continue
		}

		want, known := state.Functions[function.Name]
		if !known {
			at, err := v.Versions.At(ctx, function.Name, e)
			if err != nil {
				return nil, err
			}

			want = at
		}

		have, err := v.Versions.Followed(ctx, function.Name)
		if err != nil {
			return nil, err
		}

		if have.Version != want.Version {
			found = append(found, Difference{LiveMoved, function.Name, fmt.Sprintf(
				"alias %s of %s names version %s, not %s", sm.LiveAlias, function.Name,
				have.Version, wanted(want))})
		}
	}

	return found, nil
}

func wanted(f sm.FunctionState) string {
	if f.Release == "" {
		return f.Version
	}

	return fmt.Sprintf("%s of %s", f.Version, f.Release)
}
