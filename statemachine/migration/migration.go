// Package migration reads the migrations of a release's bundle: a file system with expand/*.sql
// and contract/*.sql in goose's format, and backfill/*.json. Both the command that packs a bundle
// and the Lambdas that run it use this package, so that they read it the same way.
package migration

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// Phase is one of the two halves of a schema change, and the folder that holds its files.
type Phase string

const (
	Expand   Phase = "expand"
	Contract Phase = "contract"
)

// Bundle has the migrations of a release.
type Bundle struct {
	Files     map[Phase][]File // sorted by version
	Backfills []Backfill       // sorted by file name
}

// File is one migration.
type File struct {
	Phase       Phase
	Version     int64  // the number in its name
	Name        string // its path in the bundle: expand/00002_split_name.sql
	Body        []byte
	Up, Down    []string // the statements
	Transaction bool     // whether it runs in a transaction
}

// Load reads a bundle. Its error lists every problem, each with the name of its file.
func Load(migrations fs.FS) (Bundle, error) {
	b := Bundle{Files: map[Phase][]File{}}

	entries, err := fs.ReadDir(migrations, ".")
	if err != nil {
		return b, fmt.Errorf("read the migrations: %w", err)
	}

	var wrong []error

	for _, entry := range entries {
		switch folder := entry.Name(); {
		case folder == string(Expand) || folder == string(Contract):
			b.Files[Phase(folder)], err = loadPhase(migrations, Phase(folder))
		case folder == backfillFolder:
			b.Backfills, err = loadBackfills(migrations)
		default:
			err = fmt.Errorf("%s: unknown folder, expected only expand, contract and backfill", folder)
		}

		wrong = append(wrong, err)
	}

	if len(entries) == 0 {
		wrong = append(wrong, errors.New(
			"found no migrations, expected expand/*.sql, contract/*.sql or backfill/*.json"))
	}

	return b, errors.Join(wrong...)
}

func loadPhase(migrations fs.FS, p Phase) ([]File, error) {
	entries, err := fs.ReadDir(migrations, string(p))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}

	var (
		files []File
		wrong []error
	)

	for _, entry := range entries {
		f, err := loadFile(migrations, p, entry.Name())
		if err != nil {
			wrong = append(wrong, err)
			continue
		}

		same := func(other File) bool { return other.Version == f.Version }
		if i := slices.IndexFunc(files, same); i >= 0 {
			wrong = append(wrong, fmt.Errorf("%s: found version %d, which %s has already", f.Name,
				f.Version, files[i].Name))
		}

		files = append(files, f)
	}

	slices.SortFunc(files, func(a, b File) int { return int(a.Version - b.Version) })

	return files, errors.Join(wrong...)
}

func loadFile(migrations fs.FS, p Phase, base string) (File, error) {
	name := path.Join(string(p), base)

	version, err := goose.NumericComponent(base)
	if err != nil || !strings.HasSuffix(base, ".sql") {
		return File{}, fmt.Errorf("%s: the name has another form, expected a number and words as in "+
			"00002_split_name.sql", name)
	}

	body, err := fs.ReadFile(migrations, name)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", name, err)
	}

	f, err := Parse(p, version, name, body)
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}

	if len(f.Up) == 0 {
		return f, fmt.Errorf("%s: found no statement to run, expected some after \"-- +goose Up\"", name)
	}

	return f, nil
}
