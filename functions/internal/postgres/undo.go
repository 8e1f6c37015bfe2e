package postgres

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3/database"

	"lockstep/statemachine/migration"
)

// UndoExpand undoes what Expand did for a release. It runs the Down of the files as they ran, the
// last file first. Its error is ErrContracted once a contract has begun; the others are
// ErrOutOfTime, ErrUnreachable and ErrFenced.
func (d *Database) UndoExpand(ctx context.Context, release string) (r Report, err error) {
	err = d.locked(ctx, func(ctx context.Context, s *session) error {
		files, err := s.undoable(ctx, release)
		if err != nil {
			return err
		}

		versions, newest, err := s.applied(ctx, migration.Expand)
		if err != nil {
			return err
		}

		r.From = newest

		// A backfill must not count as complete once its column is dropped.
		_, err = s.ExecContext(ctx, "DELETE FROM lockstep_backfills WHERE release = $1", release)
		if err != nil {
			return fmt.Errorf("delete the backfills of %s: %w", release, err)
		}

		for _, f := range files {
			if err := s.undo(ctx, f, versions[f.Version]); err != nil {
				return err
			}

			s.worked = true

			r.Applied = append(r.Applied, f.Name)
		}

		_, r.To, err = s.applied(ctx, migration.Expand)

		return err
	})

	return r, err
}

// undo runs a file's Down, and removes the file from the journal. If the file is in the journal
// but not in the version table, its run was cut off. With a transaction it left nothing. Without
// one it may have left a part: goose runs the Down only of a version in its table, so undo puts it
// there first.
func (s *session) undo(ctx context.Context, f migration.File, applied bool) error {
	if !applied && !f.Transaction {
		if err := s.mark(ctx, f); err != nil {
			return err
		}
	}

	if applied || !f.Transaction {
		if err := s.run(ctx, f, false); err != nil {
			return fmt.Errorf("undo %w", err)
		}
	}

	_, err := s.ExecContext(ctx, "DELETE FROM lockstep_journal WHERE phase = $1 AND version = $2",
		f.Phase, f.Version)
	if err != nil {
		return fmt.Errorf("remove %s from the journal: %w", f.Name, err)
	}

	return nil
}

// mark puts a file's version into the phase's version table.
func (s *session) mark(ctx context.Context, f migration.File) error {
	p, err := provider(s, f.Phase, f.Alone())
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}

	if _, err := p.GetDBVersion(ctx); err != nil { // makes the table
		return fmt.Errorf("%s: %w", f.Name, err)
	}

	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	err = store(f.Phase).Insert(ctx, conn, database.InsertRequest{Version: f.Version})
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", f.Name, table(f.Phase), err)
	}

	return nil
}
