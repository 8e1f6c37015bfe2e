package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"lockstep/statemachine/migration"
)

// Contract narrows the schema to what the release needs: the point of no return. It changes nothing
// and fails while a backfill of the bundle has rows left, which is ErrRowsLeft, or while an expand
// file of the bundle has not run. The other errors are ErrOutOfTime, ErrUnreachable, ErrFenced and
// ErrChanged.
func (d *Database) Contract(ctx context.Context, release string, migrations fs.FS) (r Report,
	err error) {
	b, err := migration.Load(migrations)
	if err != nil {
		return r, err
	}

	err = d.locked(ctx, func(ctx context.Context, s *session) error {
		if err := s.settle(ctx, b); err != nil {
			return err
		}

		r, err = s.apply(ctx, release, migration.Contract, b.Files[migration.Contract])

		return err
	})

	return r, err
}

// settle checks that every expand file has run and every backfill is complete, and then closes the
// way back. From then on no backfill counts its rows: the columns may be dropped.
func (s *session) settle(ctx context.Context, b migration.Bundle) error {
	versions, _, err := s.applied(ctx, migration.Expand)
	if err != nil {
		return err
	}

	for _, f := range b.Files[migration.Expand] {
		if !versions[f.Version] {
			return fmt.Errorf("%s: has not run; run Expand before Contract", f.Name)
		}
	}

	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	for _, declared := range b.Backfills {
		if err := (backfill{declared}).settle(ctx, tx); err != nil {
			return err
		}
	}

	_, err = tx.ExecContext(ctx, "UPDATE lockstep_journal SET settled = true WHERE NOT settled")
	if err != nil {
		return fmt.Errorf("record that the contract begins: %w", err)
	}

	return tx.Commit()
}

// rehearse runs the contract in a transaction that is rolled back: what would fail after the
// traffic has moved, fails while there is a way back. It stops before the first file without a
// transaction, on which the next ones may build. It gives up if a statement takes longer than the
// application may have to wait. untried are the files that it did not rehearse.
func (s *session) rehearse(ctx context.Context, files []migration.File) (untried []string,
	err error) {
	versions, _, err := s.applied(ctx, migration.Contract)
	if err != nil {
		return nil, err
	}

	if err := s.unchanged(ctx, migration.Contract, files, versions); err != nil {
		return nil, err
	}

	files = slices.DeleteFunc(slices.Clone(files),
		func(f migration.File) bool { return versions[f.Version] })

	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}

	end := slices.IndexFunc(files, func(f migration.File) bool { return !f.Transaction })
	if end < 0 {
		end = len(files)
	}

	if end == 0 {
		return names, nil
	}

	err = s.patiently(ctx, func() error { return s.rehearseAll(ctx, files[:end]) })
	if ctx.Err() == nil && tooSlow(err) {
		return names, nil
	}

	return append(untried, names[end:]...), err
}

// tooSlow tells whether a rehearsal ran into its timeout. That is query_canceled, or
// in_failed_sql_transaction if goose continues after it, as it does while it looks for its table.
func tooSlow(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "57014" || pg.Code == "25P02")
}

// rehearseAll runs the files in one transaction, checks it as a commit would, and rolls it back.
func (s *session) rehearseAll(ctx context.Context, files []migration.File) error {
	// With a context that ends, database/sql would roll back while a statement is still running.
	tx, err := s.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	limit := s.options.LockTimeout.Milliseconds()

	_, err = tx.ExecContext(ctx, fmt.Sprintf(
		"SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d", max(1, limit), max(1, limit/2)))
	if err != nil {
		return err
	}

	columns, err := triggered(ctx, tx)
	if err != nil {
		return fmt.Errorf("list the triggers: %w", err)
	}

	stage := &session{DB: sql.OpenDB(&pinned{conn: inside{borrowed{s.conn}}}), options: s.options,
		conn: s.conn, watch: s.watch}

	stage.SetMaxOpenConns(1)
	defer stage.Close()

	for _, f := range files {
		p, err := provider(stage, f.Phase, f.Alone())
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}

		if _, err := p.ApplyVersion(ctx, f.Version, true); err != nil {
			return fmt.Errorf("rehearse %s: %w", f.Name, plain(err))
		}
	}

	if err := stillRead(ctx, tx, columns); err != nil {
		return err
	}

	// Deferred constraints are checked by a commit, which never comes here.
	if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return fmt.Errorf("rehearse the contract: %w", err)
	}

	return nil
}

// inside is a connection in a transaction. The transactions that goose begins and ends on it are
// part of that one.
type inside struct{ borrowed }

func (inside) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return inside{}, nil }
func (inside) ResetSession(context.Context) error                           { return nil }
func (inside) Commit() error                                                { return nil }
func (inside) Rollback() error                                              { return nil }
