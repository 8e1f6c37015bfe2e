// Package artifact reads the releases that CI uploaded: manifests, and the archives that they name.
package artifact

import (
	"context"

	sm "lockstep/statemachine"
)

// Bundles reads the releases that CI uploaded.
type Reader interface {
	Read(ctx context.Context, key string, limit int64) ([]byte, error)
	Newest(ctx context.Context) (release string, err error)
}

// loadManifest reads a release's manifest and makes sure that it lies under its own name.
func Manifest(ctx context.Context, bundles Reader, releaseID string) (sm.Manifest, error) {
	file := sm.ManifestKey(releaseID)

	data, err := bundles.Read(ctx, file, 1<<20)
	if err != nil {
		return sm.Manifest{}, sm.Wrap(sm.InvalidRelease, "read "+file, err)
	}

	m, err := sm.ParseManifest(file, data)
	if err != nil {
		return m, err
	}

	if m.Release != releaseID {
		return m, sm.Errorf(sm.InvalidRelease, "%s: release: found %q, expected %q as its folder says",
			file, m.Release, releaseID)
	}

	return m, nil
}
