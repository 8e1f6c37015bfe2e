package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"lockstep/statemachine/migration"
)

// Contract narrows the schema to what the release needs: the point of no return. Before it,
// nothing is changed while a backfill of the bundle has rows left, which is ErrRowsLeft, or an
// expand has not run.
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

// settle checks that all is filled in and then closes the way back. From then on no backfill is
// counted again: its columns may go.
func (s *session) settle(ctx context.Context, b migration.Bundle) error {
	versions, _, err := s.applied(ctx, migration.Expand)
	if err != nil {
		return err
	}

	for _, f := range b.Files[migration.Expand] {
		if !versions[f.Version] {
			return fmt.Errorf("%s: found it not applied, expected Expand before Contract", f.Name)
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

	if _, err := tx.ExecContext(
		ctx, "UPDATE lockstep_journal SET settled = true WHERE NOT settled"); err != nil {
		return fmt.Errorf("note that the contract begins: %w", err)
	}

	return tx.Commit()
}

// rehearse runs the contract in a transaction that is rolled back: what would fail after the
// traffic has moved, fails while there is a way back. It stops before a file without a
// transaction, on which the next ones may build, and gives up what takes longer than the
// application may be kept waiting.
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

	var pg *pgconn.PgError
	// query_canceled, by our timeout; or what comes of that where goose goes on after it, as it does
	// while it looks for its table
	if ctx.Err() == nil && errors.As(err, &pg) && (pg.Code == "57014" || pg.Code == "25P02") {
		return names, nil
	}

	return append(untried, names[end:]...), err
}

func (s *session) rehearseAll(ctx context.Context, files []migration.File) error {
	// A context that ends would have database/sql roll back from aside, under the statement that is
	// running.
	tx, err := s.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	limit := s.options.LockTimeout.Milliseconds()
	if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = "+
		strconv.FormatInt(max(1, limit), 10)+
		"; SET LOCAL lock_timeout = "+strconv.FormatInt(max(1, limit/2), 10)); err != nil {
		return err
	}

	columns, err := triggered(ctx, tx)
	if err != nil {
		return fmt.Errorf("look for triggers: %w", err)
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
			return fmt.Errorf("%s would fail: %w", f.Name, plain(err))
		}
	}

	if err := stillRead(ctx, tx, columns); err != nil {
		return err
	}

	// else checked at a commit that never comes
	if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return fmt.Errorf("the contract would fail: %w", err)
	}

	return nil
}

// inside is the connection in the midst of a transaction: those that goose begins and ends are
// part of it.
type inside struct{ borrowed }

func (inside) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return inside{}, nil }
func (inside) ResetSession(context.Context) error                           { return nil }
func (inside) Commit() error                                                { return nil }
func (inside) Rollback() error                                              { return nil }
