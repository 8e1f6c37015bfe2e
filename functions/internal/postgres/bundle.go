package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// phase is one of the two halves of a schema change, and the folder that holds its files.
type phase string

const (
	expanding   phase = "expand"
	contracting phase = "contract"
)

// table is the phase's version table.
func (p phase) table() string { return "lockstep_" + string(p) }

// bundle is a release's migrations, read and checked.
type bundle struct {
	files     map[phase][]file // by version
	backfills []backfill       // by file name
}

// file is one migration.
type file struct {
	phase       phase
	version     int64
	name        string // as in the bundle: expand/00002_split_name.sql
	body        []byte
	up, down    []string // statements
	transaction bool
}

// Check reads a bundle and says what is wrong with it, with the names of all files that are. Nothing
// runs.
func Check(migrations fs.FS) error {
	_, err := load(migrations)
	return err
}

func load(migrations fs.FS) (bundle, error) {
	b := bundle{files: map[phase][]file{}}
	entries, err := fs.ReadDir(migrations, ".")
	if err != nil {
		return b, fmt.Errorf("read the migrations: %w", err)
	}
	var wrong []error
	for _, entry := range entries {
		switch folder := entry.Name(); {
		case folder == string(expanding) || folder == string(contracting):
			b.files[phase(folder)], err = loadPhase(migrations, phase(folder))
		case folder == backfillFolder:
			b.backfills, err = loadBackfills(migrations)
		default:
			err = fmt.Errorf("%s: found what is not known, expected the folders expand, contract and backfill", folder)
		}
		wrong = append(wrong, err)
	}
	if len(entries) == 0 {
		wrong = append(wrong, errors.New("found no migrations, expected expand/*.sql, contract/*.sql or backfill/*.json"))
	}
	return b, errors.Join(wrong...)
}

func loadPhase(migrations fs.FS, p phase) ([]file, error) {
	entries, err := fs.ReadDir(migrations, string(p))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}
	var files []file
	var wrong []error
	for _, entry := range entries {
		f, err := loadFile(migrations, p, entry.Name())
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if i := slices.IndexFunc(files, func(other file) bool { return other.version == f.version }); i >= 0 {
			wrong = append(wrong, fmt.Errorf("%s: found version %d again, which %s has", f.name, f.version, files[i].name))
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b file) int { return int(a.version - b.version) })
	return files, errors.Join(wrong...)
}

func loadFile(migrations fs.FS, p phase, base string) (file, error) {
	f := file{phase: p, name: path.Join(string(p), base)}
	version, err := goose.NumericComponent(base)
	if err != nil || !strings.HasSuffix(base, ".sql") {
		return f, fmt.Errorf("%s: found a name of another form, expected a number and words as in 00002_split_name.sql", f.name)
	}
	f.version = version
	if f.body, err = fs.ReadFile(migrations, f.name); err != nil {
		return f, fmt.Errorf("read %s: %w", f.name, err)
	}
	if err := f.parse(); err != nil {
		return f, fmt.Errorf("%s: %w", f.name, err)
	}
	if len(f.up) == 0 {
		return f, fmt.Errorf("%s: found no statement to run, expected some after \"-- +goose Up\"", f.name)
	}
	if p == expanding && len(f.down) == 0 {
		return f, fmt.Errorf("%s: found no way back, expected statements after \"-- +goose Down\" that undo it", f.name)
	}
	return f, nil
}
