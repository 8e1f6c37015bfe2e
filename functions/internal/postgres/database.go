// Package postgres runs the expand, backfill and contract of a release on one database, so that
// two versions of an application can use it in between. It does not know where migrations come
// from, nor which step calls it.
//
// A bundle of migrations is a file system with expand/*.sql and contract/*.sql in goose's format,
// which goose runs, and backfill/*.json. Each phase has its own version table. A journal records
// what goose's tables do not: which release ran a file, and the file's text. So an undo needs no
// bundle, and a file that was changed afterwards is found.
//
// Everything may be killed at any point and run again. A file with a transaction takes effect
// together with its row in the version table, or not at all. A file without one must hold
// statements that may run twice.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"lockstep/statemachine/migration"
)

// Database is one application's database.
type Database struct {
	db      *sql.DB
	aside   *sql.DB // for the watch, while db's connection is busy
	options Options
}

// Open connects to the database. No error has the password. It is ErrUnreachable if the database
// does not answer.
func Open(ctx context.Context, c Connection, o Options) (*Database, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}

	if err := trust(config, c.Authorities); err != nil {
		return nil, err
	}

	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}

	config.RuntimeParams["application_name"] = "lockstep"
	// A prepared statement would outlive the schema it was planned on.
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	aside := stdlib.OpenDB(*config)

	var deadlock int64 // milliseconds

	err = aside.QueryRowContext(ctx,
		"SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout'").Scan(&deadlock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to database %s: %w", config.Database,
			unreachable(err)),
			aside.Close())
	}

	if most := time.Duration(deadlock) * time.Millisecond / 2; o.LockTimeout <= 0 ||
		o.LockTimeout > most {
		o.LockTimeout = most
	}

	config.RuntimeParams["lock_timeout"] = strconv.FormatInt(max(1, o.LockTimeout.Milliseconds()), 10)
	config.Tracer = o.trace
	db := stdlib.OpenDB(*config)
	db.SetMaxIdleConns(0) // a session ends with its work, and so do its locks and settings
	aside.SetMaxIdleConns(0)

	return &Database{db: db, aside: aside, options: o}, nil
}

// Close closes the connections.
func (d *Database) Close() error { return errors.Join(d.db.Close(), d.aside.Close()) }

// Versions is the newest version that each phase has applied; 0 for none.
func (d *Database) Versions(ctx context.Context) (expand, contract int64, err error) {
	for phase, version := range map[migration.Phase]*int64{migration.Expand: &expand,
		migration.Contract: &contract} {
		var there bool
		if err := d.db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL",
			table(phase)).Scan(&there); err != nil {
			return 0, 0, fmt.Errorf("look for %s: %w", table(phase), err)
		}

		if !there {
			continue
		}

		if err := d.db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+
			table(phase)).Scan(version); err != nil {
			return 0, 0, fmt.Errorf("read %s: %w", table(phase), err)
		}
	}

	return expand, contract, nil
}
