package step_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"lockstep/functions/internal/release"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
	"lockstep/statemachine/migration/lint"
)

// objects are a bucket with a release in it.
type objects map[string][]byte

func (o objects) Read(_ context.Context, key string, _ int64) ([]byte, error) {
	if data, ok := o[key]; ok {
		return data, nil
	}

	return nil, fs.ErrNotExist
}

func (o objects) Newest(context.Context) (string, error) { return "v2", nil }

// TestBegin_RefusesMigrationsThatCouldNotRun holds that such a release is refused before anything
// is changed.
func TestBegin_RefusesMigrationsThatCouldNotRun(t *testing.T) {
	for name, file := range map[string]struct{ path, content string }{
		"a name without a number": {"expand/split.sql",
			"-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"},
		"an expand without Down": {"expand/00002_split.sql", "-- +goose Up\nSELECT 1;\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var packed bytes.Buffer

			w := zip.NewWriter(&packed)

			f, err := w.Create(file.path)
			if err != nil {
				t.Fatal(err)
			}

			fmt.Fprint(f, file.content)

			if err := w.Close(); err != nil {
				t.Fatal(err)
			}

			manifest, err := json.Marshal(sm.Manifest{Release: "v2", Sequence: 2, Migrations: &sm.Artifact{
				Object: "migrations.zip", SHA256: fmt.Sprintf("%x", sha256.Sum256(packed.Bytes())),
			}})
			if err != nil {
				t.Fatal(err)
			}

			begin := &step.Begin{
				Bundles: objects{"releases/v2/release.json": manifest,
					"releases/v2/migrations.zip": packed.Bytes()},
				Migrations: lint.Check, Settings: sm.Settings{App: "shop", Database: &sm.Database{}},
			}

			_, err = begin.Check(t.Context(), release.Trigger{Release: "v2"})
			if sm.Name(err) != sm.IncompatibleMigration ||
				!bytes.Contains([]byte(err.Error()), []byte(file.path)) {
				t.Errorf("got %v, want IncompatibleMigration that names %s", err, file.path)
			}
		})
	}
}
