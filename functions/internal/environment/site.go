package environment

import (
	"context"
	"strings"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Sites reads and writes the site buckets. Each method returns Throttled.
type Sites interface {
	Put(ctx context.Context, e sm.Environment, page release.Page) error
	List(ctx context.Context, e sm.Environment) (paths []string, err error)
	Delete(ctx context.Context, e sm.Environment, path string) error
	// Stamp is the release that a file was stamped with; found is false for a missing one.
	Stamp(ctx context.Context, e sm.Environment, path string) (release string, found bool, err error)
	// Same tells whether the bucket has this very page, with its stamps.
	Same(ctx context.Context, e sm.Environment, page release.Page) (bool, error)
}

// Site is the layer of the site bucket.
type Site struct {
	Ledger  ledger.Ledger
	Bundles artifact.Reader
	Sites   Sites
}

// Pages are a site ready to be written: assets are immutable and stay for open tabs, entry pages
// name the release.
type Pages struct {
	assets, entries []release.Page
}

// Write puts a site into active under a release's name: assets first, entry pages last, and then
// deletes the entry pages that the site does not have. An application without a site has nothing to
// delete either: a rollback has done that.
func (s Site) Write(
	ctx context.Context, doc sm.Document, site *sm.SiteState, releaseID string,
) error {
	if site == nil {
		return nil
	}

	pages, err := s.Render(ctx, site, doc.Active, releaseID)
	if err != nil {
		return err
	}

	if err := s.WriteAssets(ctx, doc, site, pages); err != nil {
		return err
	}

	return s.WriteEntries(ctx, doc, site, releaseID, pages)
}

// Render unpacks a site and fills in the environment and the release. The error is Corrupt where
// the bundle is missing or damaged.
func (s Site) Render(
	ctx context.Context, site *sm.SiteState, e sm.Environment, releaseID string,
) (pages Pages, err error) {
	if site == nil {
		return pages, nil
	}

	data, err := s.Bundles.Read(ctx, site.Key, release.MaxArtifact)
	if err != nil {
		return pages, err
	}

	archive, err := release.OpenArchive(site.Key, data, site.SHA256)
	if err != nil {
		return pages, sm.Corrupt(site.Key, err)
	}

	pages.assets, pages.entries, err = release.RenderSite(archive, site.Assets, e, releaseID)
	if err != nil {
		return pages, sm.Corrupt(site.Key, err)
	}

	return pages, nil
}

// WriteAssets writes what entry pages refer to. There may be thousands of files, so it verifies the
// lease once a second and not before each of them: an asset that arrives late harms nobody.
func (s Site) WriteAssets(
	ctx context.Context, doc sm.Document, site *sm.SiteState, pages Pages,
) error {
	var verified time.Time

	for _, page := range pages.assets {
		if time.Since(verified) > time.Second {
			if err := s.Ledger.Lease(doc).Verify(ctx); err != nil {
				return err
			}

			verified = time.Now()
		}

		if err := s.Sites.Put(ctx, doc.Active, page.Stamped(site.Release)); err != nil {
			return err
		}
	}

	return nil
}

// WriteEntries writes the entry pages and deletes those that the site does not have.
func (s Site) WriteEntries(
	ctx context.Context, doc sm.Document, site *sm.SiteState, releaseID string, pages Pages,
) error {
	keep := map[string]bool{}

	for _, page := range pages.entries {
		keep[page.Path] = true

		err := s.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
			return s.Sites.Put(ctx, doc.Active, page.Stamped(releaseID))
		})
		if err != nil {
			return err
		}
	}

	paths, err := s.Sites.List(ctx, doc.Active)
	if err != nil {
		return err
	}

	for _, path := range paths {
		if keep[path] || strings.HasPrefix(path, assetsPrefix(site)) {
			continue
		}

		if err := s.delete(ctx, doc, site, path); err != nil {
			return err
		}
	}

	return nil
}

// delete deletes an entry page. Where an application has no site, only what a release left is
// deleted: the other pages may belong to somebody else.
func (s Site) delete(
	ctx context.Context, doc sm.Document, site *sm.SiteState, path string,
) error {
	if site == nil {
		stamp, _, err := s.Sites.Stamp(ctx, doc.Active, path)
		if err != nil || stamp == "" {
			return err
		}
	}

	return s.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return s.Sites.Delete(ctx, doc.Active, path)
	})
}

func assetsPrefix(site *sm.SiteState) string {
	if site == nil {
		return sm.Site{}.AssetsPrefix()
	}

	return site.Assets
}
