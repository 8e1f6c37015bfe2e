package environment

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// Follower moves what events call. Events have no viewer whom a ramp could split, so they follow
// the release that serves: the fallback's, which a promotion changes and a rollback changes back.
type Follower struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Versions Versions
}

// follow points the alias live of every function that has event sources at the version that an
// environment's alias names. Run twice, it finds nothing to move.
func (f Follower) Follow(ctx context.Context, doc sm.Document, e sm.Environment) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(SideBySide)

	for _, app := range f.Settings.Functions {
		if !app.Live {
			continue
		}

		group.Go(func() error {
			serves, err := f.Versions.At(ctx, app.Name, e)
			if err != nil {
				return err
			}

			return f.Versions.Follow(ctx, app.Name, serves.Version, f.Ledger.Lease(doc).Mark(),
				f.Ledger.Lease(doc).Verify)
		})
	}

	if err := group.Wait(); err != nil {
		return fmt.Errorf("let events call what %s carries: %w", e, err)
	}

	return nil
}
