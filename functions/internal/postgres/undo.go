package postgres

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3/database"

	"lockstep/statemachine/migration"
)

// UndoExpand takes back what Expand did for a release, the last file first, with the Down of the
// files as they ran. It is ErrContracted once a contract has begun.
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
		// Where the columns go, the count of what was filled into them goes first.
		if _, err := s.ExecContext(ctx, "DELETE FROM lockstep_backfills WHERE release = $1",
			release); err != nil {
			return fmt.Errorf("forget the backfills of %s: %w", release, err)
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

// undo runs a file's Down. One that was cut off before its mark in the version table left nothing
// if it had a transaction; without one it may have left a part, so it is marked first for its Down
// to run.
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
		return fmt.Errorf("take %s out of the journal: %w", f.Name, err)
	}

	return nil
}

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

	if err := store(
		f.Phase).Insert(ctx, conn, database.InsertRequest{Version: f.Version}); err != nil {
		return fmt.Errorf("mark %s: %w", f.Name, err)
	}

	return nil
}
