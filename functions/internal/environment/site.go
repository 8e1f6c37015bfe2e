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

// Sites are the site buckets. Every method returns Throttled where S3 is busy, and an error
// without a name for an environment without a bucket. The writes have no condition.
type Sites interface {
	// Put writes a page with its stamp.
	Put(ctx context.Context, e sm.Environment, page release.Page) error
	// List names all pages.
	List(ctx context.Context, e sm.Environment) (paths []string, err error)
	// Delete removes a page; one that is not there is no error.
	Delete(ctx context.Context, e sm.Environment, path string) error
	// Stamp is the release that a page was stamped with; found is false for a missing one.
	Stamp(ctx context.Context, e sm.Environment, path string) (release string, found bool, err error)
	// Same tells whether the bucket has this very page, with its stamp.
	Same(ctx context.Context, e sm.Environment, page release.Page) (bool, error)
}

// Site is the layer of the site: the assets and entry pages in an environment's bucket. Assets
// keep the stamp of the release that brought them; entry pages have that of the environment.
type Site struct {
	Ledger  ledger.Ledger
	Bundles artifact.Reader
	Sites   Sites
}

// Prepare records the site bundle that the release brings; without one, state keeps the old one.
func (s Site) Prepare(_ context.Context, m sm.Manifest, state *sm.EnvironmentState) error {
	if m.Site != nil {
		state.Site = &sm.SiteState{Release: m.Release, Key: m.Key(m.Site.Artifact),
			SHA256: m.Site.SHA256, Assets: m.Site.AssetsPrefix()}
	}

	return nil
}

// Deploy writes the site of state, also one that the release does not bring: its entry pages name
// the release.
func (s Site) Deploy(ctx context.Context, doc sm.Document, m sm.Manifest,
	state sm.EnvironmentState) (string, error) {
	done := "the site as it was"
	if m.Site != nil {
		done = "a new site"
	}

	return done, s.write(ctx, doc, state)
}

// Sync writes fallback's site, unless active was in sync and has the release already.
func (s Site) Sync(ctx context.Context, doc sm.Document,
	now, want sm.EnvironmentState) (string, error) {
	if now.InSync && now.Release == want.Release {
		return "", nil
	}

	return "", s.write(ctx, doc, want)
}

// Rollback writes fallback's entry pages and deletes the others: from then on every new page is
// the old release's. The rest writes the assets, of which open tabs have what they need.
func (s Site) Rollback(ctx context.Context, doc sm.Document,
	want sm.EnvironmentState) (Rest, error) {
	assets, entries, err := s.render(ctx, doc.Active, want)
	if err != nil {
		return nil, err
	}

	if err := s.writeEntries(ctx, doc, want, entries); err != nil {
		return nil, err
	}

	return func(ctx context.Context) (string, error) {
		return "", s.writeAssets(ctx, doc, assets)
	}, nil
}

// Restore writes the site of state.
func (s Site) Restore(ctx context.Context, doc sm.Document, state sm.EnvironmentState) error {
	return s.write(ctx, doc, state)
}

// write writes the site of state: assets first, then the entry pages that refer to them; then it
// deletes the entry pages that the bundle does not have. Without a site there is nothing to delete
// either: a rollback has done that.
func (s Site) write(ctx context.Context, doc sm.Document, state sm.EnvironmentState) error {
	if state.Site == nil {
		return nil
	}

	assets, entries, err := s.render(ctx, doc.Active, state)
	if err != nil {
		return err
	}

	if err := s.writeAssets(ctx, doc, assets); err != nil {
		return err
	}

	return s.writeEntries(ctx, doc, state, entries)
}

// render makes the pages of the site of state, stamped, as they go into the bucket of e. The error
// is Corrupt where the bundle is missing or damaged.
func (s Site) render(ctx context.Context, e sm.Environment,
	state sm.EnvironmentState) (assets, entries []release.Page, err error) {
	site := state.Site
	if site == nil {
		return nil, nil, nil
	}

	data, err := s.Bundles.Read(ctx, site.Key, release.MaxArtifact)
	if err != nil {
		return nil, nil, err
	}

	archive, err := release.OpenArchive(site.Key, data, site.SHA256)
	if err != nil {
		return nil, nil, sm.Corrupt(site.Key, err)
	}

	assets, entries, err = release.RenderSite(archive, site.Assets, e, state.Release)
	if err != nil {
		return nil, nil, sm.Corrupt(site.Key, err)
	}

	for i := range assets {
		assets[i].Release = site.Release
	}

	for i := range entries {
		entries[i].Release = state.Release
	}

	return assets, entries, nil
}

// writeAssets writes what entry pages refer to. It may be thousands of files, so it verifies the
// lease once a second and not before each: the names of assets are hashed, so a write that comes
// late puts the content that was there.
func (s Site) writeAssets(ctx context.Context, doc sm.Document, assets []release.Page) error {
	var verified time.Time

	for _, page := range assets {
		if time.Since(verified) > time.Second {
			if err := s.Ledger.Lease(doc).Verify(ctx); err != nil {
				return err
			}

			verified = time.Now()
		}

		if err := s.Sites.Put(ctx, doc.Active, page); err != nil {
			return err
		}
	}

	return nil
}

// writeEntries writes the entry pages and deletes those that the site does not have. Without a
// site it deletes only what a release left: other pages may belong to somebody else.
func (s Site) writeEntries(ctx context.Context, doc sm.Document, state sm.EnvironmentState,
	entries []release.Page) error {
	lease := s.Ledger.Lease(doc)

	for _, page := range entries {
		if err := lease.Guard(ctx, func(ctx context.Context) error {
			return s.Sites.Put(ctx, doc.Active, page)
		}); err != nil {
			return err
		}
	}

	unexpected, err := s.unexpected(ctx, doc.Active, state.Site, entries)
	if err != nil {
		return err
	}

	for _, path := range unexpected {
		if state.Site == nil {
			stamp, _, err := s.Sites.Stamp(ctx, doc.Active, path)
			if err != nil {
				return err
			}

			if stamp == "" {
				continue
			}
		}

		if err := lease.Guard(ctx, func(ctx context.Context) error {
			return s.Sites.Delete(ctx, doc.Active, path)
		}); err != nil {
			return err
		}
	}

	return nil
}

// unexpected lists the pages in the bucket that are neither assets nor among the entry pages.
func (s Site) unexpected(ctx context.Context, e sm.Environment, site *sm.SiteState,
	entries []release.Page) ([]string, error) {
	prefix := sm.Site{}.AssetsPrefix()
	if site != nil {
		prefix = site.Assets
	}

	expected := map[string]bool{}
	for _, page := range entries {
		expected[page.Path] = true
	}

	paths, err := s.Sites.List(ctx, e)
	if err != nil {
		return nil, err
	}

	var unexpected []string

	for _, path := range paths {
		if !expected[path] && !strings.HasPrefix(path, prefix) {
			unexpected = append(unexpected, path)
		}
	}

	return unexpected, nil
}
