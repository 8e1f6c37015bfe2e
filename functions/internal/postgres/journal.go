package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"lockstep/statemachine/migration"
)

// prepare makes Lockstep's tables beside goose's, and checks the fencing token.
func (s *session) prepare(ctx context.Context) error {
	_, err := s.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS lockstep_journal (
			id      bigint GENERATED ALWAYS AS IDENTITY,
			phase   text NOT NULL,
			version bigint NOT NULL,
			file    text NOT NULL,
			body    text NOT NULL,
			release text NOT NULL,
			settled boolean NOT NULL DEFAULT false, -- a contract has run since
			PRIMARY KEY (phase, version));
		CREATE TABLE IF NOT EXISTS lockstep_backfills (
			name    text PRIMARY KEY,
			release text NOT NULL,
			key     text, -- the last one filled in this pass
			rows    bigint NOT NULL DEFAULT 0,
			settled boolean NOT NULL DEFAULT false);
		CREATE TABLE IF NOT EXISTS lockstep_fence (ledger text PRIMARY KEY, fence bigint NOT NULL)`)
	if err != nil {
		return fmt.Errorf("create Lockstep's tables: %w", err)
	}

	return s.passFence(ctx)
}

// passFence records the fencing token, and refuses one that is lower than the highest of its
// ledger: ErrFenced. A copy of a database may be used with another ledger, whose tokens count by
// themselves. It runs while the schema is locked, so no writer with a higher token changes
// anything meanwhile.
func (s *session) passFence(ctx context.Context) error {
	var newest int64

	err := s.QueryRowContext(ctx, `
		INSERT INTO lockstep_fence (ledger, fence) VALUES ($1, $2)
		ON CONFLICT (ledger) DO UPDATE SET fence = greatest(lockstep_fence.fence, $2) RETURNING fence`,
		s.options.Ledger, s.options.Fence).Scan(&newest)
	if err != nil {
		return fmt.Errorf("check the fencing token: %w", err)
	}

	if s.options.Fence != 0 && s.options.Fence < newest {
		return fmt.Errorf("%w: the schema was changed under fencing token %d, this call has %d: stop "+
			"writing (if the ledger %s was recreated, empty the table lockstep_fence)",
			ErrFenced, newest, s.options.Fence, s.options.Ledger)
	}

	return nil
}

// journal records a file before it runs. A file without a transaction may be cut off half way, and
// then only the journal shows that there is something to undo.
func (s *session) journal(ctx context.Context, release string, f migration.File) error {
	_, err := s.ExecContext(ctx, `
		INSERT INTO lockstep_journal (phase, version, file, body, release) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (phase, version) DO UPDATE SET file = $3, body = $4, release = $5`,
		f.Phase, f.Version, f.Name, string(f.Body), release)
	if err != nil {
		return fmt.Errorf("record %s in the journal: %w", f.Name, err)
	}

	return nil
}

// unchanged refuses files that were changed after they ran, with ErrChanged: the change would never
// run.
func (s *session) unchanged(ctx context.Context, p migration.Phase, files []migration.File,
	applied map[int64]bool) error {
	for _, f := range files {
		if !applied[f.Version] {
			continue
		}

		var ran, release, body string

		err := s.QueryRowContext(ctx,
			"SELECT file, release, body FROM lockstep_journal WHERE phase = $1 AND version = $2",
			p, f.Version).Scan(&ran, &release, &body)
		if errors.Is(err, sql.ErrNoRows) {
			continue // goose's own command ran it
		}

		if err != nil {
			return fmt.Errorf("look up %s in the journal: %w", f.Name, err)
		}

		then, err := migration.Parse(p, f.Version, ran, []byte(body))
		if err != nil {
			return fmt.Errorf("parse %s from the journal: %w", ran, err)
		}

		// Comments between statements do not run, so they may change.
		if !slices.Equal(then.Up, f.Up) || !slices.Equal(then.Down, f.Down) ||
			then.Transaction != f.Transaction {
			return fmt.Errorf("%s: %w: release %s ran it as %s; put the change into a new file with a "+
				"number of its own", f.Name, ErrChanged, release, ran)
		}
	}

	return nil
}

// undoable lists the expand files that a release ran or began, the last one first. Its error is
// ErrContracted if a contract has run since.
func (s *session) undoable(ctx context.Context, release string) ([]migration.File, error) {
	rows, err := s.QueryContext(ctx, `
		SELECT version, file, body, settled FROM lockstep_journal
		WHERE phase = $1 AND release = $2 ORDER BY id DESC`, migration.Expand, release)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()

	var files []migration.File

	for rows.Next() {
		var (
			version int64
			name    string
			body    []byte
			settled bool
		)
		if err := rows.Scan(&version, &name, &body, &settled); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}

		if settled {
			return nil, fmt.Errorf("%s: %w", name, ErrContracted)
		}

		f, err := migration.Parse(migration.Expand, version, name, body)
		if err != nil {
			return nil, fmt.Errorf("parse %s from the journal: %w", name, err)
		}

		files = append(files, f)
	}

	return files, rows.Err()
}

// Widened lists the ids of the releases whose expand files ran or began, with no contract since.
func (d *Database) Widened(ctx context.Context) ([]string, error) {
	var exists bool

	err := d.db.QueryRowContext(ctx,
		"SELECT to_regclass('lockstep_journal') IS NOT NULL").Scan(&exists)
	if err != nil {
		return nil, fmt.Errorf("look for the journal: %w", err)
	}

	if !exists {
		return nil, nil
	}

	rows, err := d.db.QueryContext(ctx, "SELECT DISTINCT release FROM lockstep_journal "+
		"WHERE phase = $1 AND NOT settled ORDER BY release", migration.Expand)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()

	var releases []string

	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}

		releases = append(releases, id)
	}

	return releases, rows.Err()
}
