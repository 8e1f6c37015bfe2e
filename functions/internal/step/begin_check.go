package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// check reads the manifest and everything that it names, before anything is changed: a release
// that could not be deployed is refused here, with the file and the field.
func (b *Begin) Check(ctx context.Context, trigger release.Trigger) (sm.Manifest, error) {
	m, err := artifact.Manifest(ctx, b.Bundles, trigger.Release)
	if err != nil {
		return m, err
	}

	file := sm.ManifestKey(m.Release)
	if trigger.Sequence != 0 && trigger.Sequence != m.Sequence {
		return m, sm.Errorf(sm.InvalidRelease, "%s: sequence: found %d, but the merge event says %d",
			file, m.Sequence, trigger.Sequence)
	}

	if err := b.Settings.CheckManifest(file, m); err != nil {
		return m, err
	}

	for _, a := range m.Artifacts() {
		data, err := b.Bundles.Read(ctx, m.Key(a.Artifact), release.MaxArtifact)
		if err != nil {
			return m, sm.Wrap(sm.InvalidRelease, fmt.Sprintf("%s: %s.object", file, a.Field), err)
		}

		archive, err := release.OpenArchive(a.Object, data, a.SHA256)
		if err != nil {
			return m, sm.Errorf(sm.InvalidRelease, "%s: %s: %w", file, a.Field, err)
		}

		if a.Field != "migrations" {
			continue
		}

		if err := b.Migrations(archive); err != nil {
			return m, sm.Errorf(sm.IncompatibleMigration, "%s: %s: %s: %w", file, a.Field, a.Object, err)
		}
	}

	return m, nil
}
