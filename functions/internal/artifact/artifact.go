// Package artifact reads the releases that CI uploaded: manifests, and the archives that they name.
package artifact

import (
	"context"

	sm "lockstep/statemachine"
)

// Reader reads the releases that CI uploaded. Both methods return Throttled where S3 is busy.
type Reader interface {
	// Read returns an object of at most limit bytes. It returns an error without a name for an object
	// that is missing or larger.
	Read(ctx context.Context, key string, limit int64) ([]byte, error)
	// Newest is the release whose manifest was uploaded last. It returns an error without a name where
	// there is none.
	Newest(ctx context.Context) (release string, err error)
}

// maxManifest is how many bytes a manifest may have.
const maxManifest = 1 << 20

// Manifest reads a release's manifest and makes sure that it lies in the folder of that release. It
// returns InvalidRelease, or Throttled where S3 is busy.
func Manifest(ctx context.Context, bundles Reader, releaseID string) (sm.Manifest, error) {
	file := sm.ManifestKey(releaseID)

	data, err := bundles.Read(ctx, file, maxManifest)
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
