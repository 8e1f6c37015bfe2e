package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"lockstep/statemachine/migration"
)

func store(p migration.Phase) database.Store {
	s, err := database.NewStore(database.DialectPostgres, table(p))
	if err != nil {
		panic(err) // only an empty name can be wrong
	}

	return s
}

// applied has the versions in the phase's version table, and the newest of them; none if the table
// does not exist.
func (s *session) applied(ctx context.Context, p migration.Phase) (versions map[int64]bool,
	newest int64, err error) {
	conn, err := s.Conn(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()

	var exists bool

	err = conn.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", table(p)).Scan(&exists)
	if err != nil || !exists {
		return nil, 0, err
	}

	list, err := store(p).ListMigrations(ctx, conn)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", table(p), err)
	}

	versions = map[int64]bool{}
	for _, m := range list {
		versions[m.Version] = true
		newest = max(newest, m.Version)
	}

	return versions, newest, nil
}

// apply runs the files that the phase's version table lacks, also those with a number below the
// newest one: merges do not arrive in the order of their numbers. If it fails, the report has what
// it did.
func (s *session) apply(ctx context.Context, release string, p migration.Phase,
	files []migration.File) (Report, error) {
	versions, newest, err := s.applied(ctx, p)

	r := Report{From: newest, To: newest}
	if err != nil {
		return r, err
	}

	if err := s.unchanged(ctx, p, files, versions); err != nil {
		return r, err
	}

	for _, f := range files {
		if versions[f.Version] {
			continue
		}

		if err := s.foreign(ctx, f); err != nil {
			return r, err
		}

		if err := s.journal(ctx, release, f); err != nil {
			return r, err
		}

		if err := s.run(ctx, f, true); err != nil {
			return r, err
		}

		s.worked = true

		r.Applied = append(r.Applied, f.Name)
		r.To = max(r.To, f.Version)
	}

	return r, nil
}

// run applies a file or runs its Down, and retries while the application holds the locks it needs.
func (s *session) run(ctx context.Context, f migration.File, up bool) error {
	p, err := provider(s, f.Phase, f.Alone())
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}

	err = s.patiently(ctx, func() error {
		if up && !f.Transaction {
			if err := s.dropInvalidIndexes(ctx, f); err != nil {
				return err
			}
		}

		_, err := p.ApplyVersion(ctx, f.Version, up)

		return plain(err)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}

	// A file's own settings, such as a search path, are not meant for the next one.
	if _, err := s.ExecContext(ctx, "RESET ALL"); err != nil {
		return fmt.Errorf("reset the settings of %s: %w", f.Name, err)
	}

	return nil
}

// provider is goose for the files of a phase.
func provider(s *session, p migration.Phase, files fs.FS) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectCustom, s.DB, files, goose.WithStore(store(p)),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// plain is the error of a statement without goose's text around it, which names the version and
// not the file.
func plain(err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return partial.Err
	}

	return err
}

// patiently retries while the application is in the way: the try was canceled for the
// application's sake, got no lock, or met a deadlock or a serialization failure. The application's
// queries run in the pauses, which grow. It gives up when the session's patience is used up, or at
// maxCuts.
func (s *session) patiently(ctx context.Context, try func() error) error {
	for cuts, wait := 0, s.options.LockTimeout/2; ; wait = min(2*wait, 4*s.options.LockTimeout) {
		began := time.Now()

		err := try()
		switch cut := s.watch.cutOff(err); {
		case cut == cutHolding:
			cuts++
		case cut == 0 && !busy(err):
			return err
		}

		if cuts == maxCuts {
			return fmt.Errorf(
				"it holds its locks for too long: the application waited %v for it, %d times; "+
					"split it into smaller files, or VALIDATE a constraint first that spares it the reading of "+
					"the table: %w", s.options.LockTimeout, cuts, err)
		}

		if s.lost += time.Since(began); s.lost < s.options.Patience {
			began = time.Now()

			if late := pause(ctx, min(wait, s.options.Patience-s.lost+time.Millisecond)); late != nil {
				return fmt.Errorf("%w, while the application was in the way: %w", late, err)
			}

			s.lost += time.Since(began)

			continue
		}

		return fmt.Errorf("the application was in the way for %v: %w", s.options.Patience, err)
	}
}

// maxCuts bounds how often the application has to wait for a file that holds its locks for too
// long.
const maxCuts = 3

// busy tells whether a statement failed because of other sessions: lock_not_available,
// deadlock_detected or serialization_failure.
func busy(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40P01" || pg.Code == "40001")
}

// dropInvalidIndexes drops those of the file's indexes that are invalid, since a concurrent build
// was cut off: IF NOT EXISTS would take an invalid index for the real one.
func (s *session) dropInvalidIndexes(ctx context.Context, f migration.File) error {
	rows, err := s.QueryContext(ctx, `
		SELECT c.relname, c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE NOT i.indisvalid AND c.relkind = 'i'`)
	if err != nil {
		return fmt.Errorf("list the invalid indexes: %w", err)
	}
	defer rows.Close()

	var invalid []string

	for rows.Next() {
		var name, qualified string
		if err := rows.Scan(&name, &qualified); err != nil {
			return fmt.Errorf("list the invalid indexes: %w", err)
		}

		if regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(f.Body) {
			invalid = append(invalid, qualified)
		}
	}

	if err := rows.Err(); err != nil {
		return fmt.Errorf("list the invalid indexes: %w", err)
	}

	rows.Close()

	for _, index := range invalid {
		if _, err := s.ExecContext(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+index); err != nil {
			return fmt.Errorf("drop the invalid index %s: %w", index, err)
		}
	}

	return nil
}
