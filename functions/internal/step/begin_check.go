package step

import (
	"context"
	"fmt"
	"io/fs"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// bundleCheck reads the manifest and everything that it names before anything is changed: a release
// that could not be deployed is refused here, with the file and the field.
type bundleCheck struct {
	settings   sm.Settings
	bundles    artifact.Reader
	migrations func(migrations fs.FS) error
}

func (c bundleCheck) run(ctx context.Context, trigger release.Trigger) (sm.Manifest, error) {
	m, err := artifact.Manifest(ctx, c.bundles, trigger.Release)
	if err != nil {
		return m, err
	}

	file := sm.ManifestKey(m.Release)
	if trigger.Sequence != 0 && trigger.Sequence != m.Sequence {
		return m, sm.Errorf(sm.InvalidRelease, "%s: sequence: found %d, but the merge event says %d",
			file, m.Sequence, trigger.Sequence)
	}

	if err := c.settings.CheckManifest(file, m); err != nil {
		return m, err
	}

	for _, a := range m.Artifacts() {
		if err := c.artifact(ctx, m, file, a); err != nil {
			return m, err
		}
	}

	return m, nil
}

func (c bundleCheck) artifact(
	ctx context.Context, m sm.Manifest, file string, a sm.NamedArtifact,
) error {
	data, err := c.bundles.Read(ctx, m.Key(a.Artifact), release.MaxArtifact)
	if err != nil {
		return sm.Wrap(sm.InvalidRelease, fmt.Sprintf("%s: %s.object", file, a.Field), err)
	}

	archive, err := release.OpenArchive(a.Object, data, a.SHA256)
	if err != nil {
		return sm.Errorf(sm.InvalidRelease, "%s: %s: %w", file, a.Field, err)
	}

	if a.Field != "migrations" {
		return nil
	}

	if err := c.migrations(archive); err != nil {
		return sm.Errorf(sm.IncompatibleMigration, "%s: %s: %s: %w", file, a.Field, a.Object, err)
	}

	return nil
}
