// Package environment writes one of the two environments, layer by layer: the aliases of the
// functions, the API stage, the site, and what events call. Sync, Deploy, Rollback and Repair are
// made of its parts.
package environment

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Versions reads and moves the aliases of the application's functions.
type Versions interface {
	// At is the version that the environment's alias names.
	At(ctx context.Context, name string, e sm.Environment) (sm.FunctionState, error)
	// Publish makes a version of the code at key and returns the same one when called again.
	Publish(ctx context.Context, name, bucket, key, sha256hex string) (version string, err error)
	// Point moves the alias. It calls verify when it knows what the alias is now, and lets it be on an
	// error. With a seal it also writes an alias that is right, so that nobody who looked at it before
	// can move it any more.
	Point(ctx context.Context, name string, e sm.Environment, version, seal string,
		verify func(context.Context) error) error
	// Followed is the version that the alias names which event sources call.
	Followed(ctx context.Context, name string) (sm.FunctionState, error)
	// Follow moves that alias, as Point does.
	Follow(ctx context.Context, name, version, seal string, verify func(context.Context) error) error
}

// Stages sets which alias an API stage calls: one call for every function at once.
type Stages interface {
	Set(ctx context.Context, e, alias sm.Environment, release string) error
}

// Sites writes the site buckets.
type Sites interface {
	Put(ctx context.Context, e sm.Environment, page release.Page) error
	List(ctx context.Context, e sm.Environment) (paths []string, err error)
	Delete(ctx context.Context, e sm.Environment, path string) error
	// Stamp is the release that a file was stamped with; found is false for a missing one.
	Stamp(ctx context.Context, e sm.Environment, path string) (release string, found bool, err error)
}

// Leveler makes one environment carry what another carries, layer by layer. Sync and Rollback are
// the same work in a different order, so both are made of its parts.
type Syncer struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader
	Versions Versions
	Stages   Stages
	Sites    Sites
}

func (l Syncer) Follower() Follower { return Follower{l.Ledger, l.Settings, l.Versions} }

// sideBySide is how many functions are worked on at once; the adapter keeps to Lambda's quotas.
const SideBySide = 16

// What follows writes into active, and looks before each write whether the lock is still held:
// stopping an execution does not stop the Lambda that it called, which may come back when active
// is somebody else's.

func (l Syncer) Point(ctx context.Context, doc sm.Document, name, version string) error {
	return l.Versions.Point(ctx, name, doc.Active, version, l.Ledger.Lease(doc).Mark(),
		l.Ledger.Lease(doc).Verify)
}

func (l Syncer) Stage(ctx context.Context, doc sm.Document, alias sm.Environment,
	releaseID string) error {
	return l.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return l.Stages.Set(ctx,
			doc.Active, alias, releaseID)
	})
}

// functions points every alias of active to the version that fallback's names.
func (l Syncer) Functions(ctx context.Context, doc sm.Document) (moved int, err error) {
	var count atomic.Int64

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(SideBySide)

	for _, f := range l.Settings.Functions {
		group.Go(func() error {
			want, err := l.Versions.At(ctx, f.Name, doc.Fallback)
			if err != nil {
				return err
			}

			have, err := l.Versions.At(ctx, f.Name, doc.Active)
			if err != nil {
				return err
			}

			switch {
			case have.Version != want.Version:
				count.Add(1)
			case l.Ledger.Lease(doc).Mark() == "":
				return nil
			}

			return l.Point(ctx, doc, f.Name, want.Version)
		})
	}

	err = group.Wait()

	return int(count.Load()), err
}

// site writes a site bundle into active under a release's name: assets first, entry pages last,
// and then takes away the entry pages that the bundle does not have. Old assets stay for open
// tabs. Where there is no site there is nothing to take away either: a rollback has done that.
func (l Syncer) Site(ctx context.Context, doc sm.Document, site *sm.SiteState,
	releaseID string) error {
	if site == nil {
		return nil
	}

	assets, entries, err := l.Render(ctx, site, doc.Active, releaseID)
	if err != nil {
		return err
	}

	if err := l.Assets(ctx, doc, site, assets); err != nil {
		return err
	}

	return l.Entries(ctx, doc, site, releaseID, entries)
}

// assets writes what entry pages refer to, which may be thousands of files: it looks at the lock
// once a second.
func (l Syncer) Assets(ctx context.Context, doc sm.Document, site *sm.SiteState,
	pages []release.Page) error {
	var looked time.Time
	for _, page := range pages {
		if time.Since(looked) > time.Second {
			if err := l.Ledger.Lease(doc).Verify(ctx); err != nil {
				return err
			}

			looked = time.Now()
		}

		if err := l.Sites.Put(ctx, doc.Active, page.Stamped(site.Release)); err != nil {
			return err
		}
	}

	return nil
}

// entries writes only the entry pages: what a rollback does first. Where there is no site, only
// what a release left is taken away: the pages may be somebody else's.
func (l Syncer) Entries(ctx context.Context, doc sm.Document, site *sm.SiteState, releaseID string,
	pages []release.Page) error {
	keep := map[string]bool{}
	for _, page := range pages {
		keep[page.Path] = true

		if err := l.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
			return l.Sites.Put(ctx,
				doc.Active, page.Stamped(releaseID))
		}); err != nil {
			return err
		}
	}

	there, err := l.Sites.List(ctx, doc.Active)
	if err != nil {
		return err
	}

	for _, path := range there {
		if keep[path] || strings.HasPrefix(path, AssetsOf(site)) {
			continue
		}

		if site == nil {
			stamp, _, err := l.Sites.Stamp(ctx, doc.Active, path)
			if err != nil {
				return err
			}

			if stamp == "" {
				continue
			}
		}

		if err := l.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error { return l.Sites.Delete(ctx, doc.Active, path) }); err != nil {
			return err
		}
	}

	return nil
}

func (l Syncer) Render(ctx context.Context, site *sm.SiteState, e sm.Environment,
	releaseID string) (assets, entries []release.Page, err error) {
	if site == nil {
		return nil, nil, nil
	}

	data, err := l.Bundles.Read(ctx, site.Key, release.MaxArtifact)
	if err != nil {
		return nil, nil, err
	}

	archive, err := release.OpenArchive(site.Key, data, site.SHA256)
	if err != nil {
		return nil, nil, err
	}

	return release.RenderSite(archive, site.Assets, e, releaseID)
}

func AssetsOf(site *sm.SiteState) string {
	if site == nil {
		return sm.Site{}.AssetsPrefix()
	}

	return site.Assets
}

func Aliases(n int) string {
	if n == 1 {
		return "1 alias"
	}

	return fmt.Sprintf("%d aliases", n)
}
