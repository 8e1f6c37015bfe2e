package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// prepare makes the tables that go with goose's own.
func (s *session) prepare(ctx context.Context) error {
	_, err := s.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS lockstep_journal (
			id      bigint GENERATED ALWAYS AS IDENTITY,
			phase   text NOT NULL,
			version bigint NOT NULL,
			file    text NOT NULL,
			body    text NOT NULL,
			release text NOT NULL,
			settled boolean NOT NULL DEFAULT false, -- a contract came after it
			PRIMARY KEY (phase, version));
		CREATE TABLE IF NOT EXISTS lockstep_backfills (
			name    text PRIMARY KEY,
			release text NOT NULL,
			key     text, -- the last one of this pass
			rows    bigint NOT NULL DEFAULT 0,
			settled boolean NOT NULL DEFAULT false)`)
	if err != nil {
		return fmt.Errorf("make Lockstep's tables: %w", err)
	}
	return nil
}

// note writes a file into the journal before it runs. A file without a transaction may get stuck half
// way, and only the journal then knows that there is something to undo.
func (s *session) note(ctx context.Context, release string, f file) error {
	_, err := s.ExecContext(ctx, `
		INSERT INTO lockstep_journal (phase, version, file, body, release) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (phase, version) DO UPDATE SET file = $3, body = $4, release = $5`,
		f.phase, f.version, f.name, string(f.body), release)
	if err != nil {
		return fmt.Errorf("note %s: %w", f.name, err)
	}
	return nil
}

// unchanged refuses files that ran in another form than they have now: nobody would get what they say.
func (s *session) unchanged(ctx context.Context, p phase, files []file, applied map[int64]bool) error {
	for _, f := range files {
		if !applied[f.version] {
			continue
		}
		var ran, release, body string
		err := s.QueryRowContext(ctx, "SELECT file, release, body FROM lockstep_journal WHERE phase = $1 AND version = $2",
			p, f.version).Scan(&ran, &release, &body)
		if errors.Is(err, sql.ErrNoRows) {
			continue // goose's own command ran it
		}
		if err != nil {
			return fmt.Errorf("look up %s in the journal: %w", f.name, err)
		}
		if body != string(f.body) {
			return fmt.Errorf("%s: %w: release %s ran it as %s; give the change a file and a number of its own", f.name, ErrChanged, release, ran)
		}
	}
	return nil
}

// undoable lists the expand files that a release ran or began, the last one first.
func (s *session) undoable(ctx context.Context, release string) ([]file, error) {
	rows, err := s.QueryContext(ctx, `
		SELECT version, file, body, settled FROM lockstep_journal
		WHERE phase = $1 AND release = $2 ORDER BY id DESC`, expanding, release)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	var files []file
	for rows.Next() {
		f := file{phase: expanding}
		var settled bool
		if err := rows.Scan(&f.version, &f.name, &f.body, &settled); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if settled {
			return nil, fmt.Errorf("%s: %w", f.name, ErrContracted)
		}
		if err := f.parse(); err != nil {
			return nil, fmt.Errorf("%s, as the journal has it: %w", f.name, err)
		}
		files = append(files, f)
	}
	return files, rows.Err()
}
