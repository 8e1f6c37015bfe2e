// Package postgres takes one database through expand, backfill and contract, so that two versions
// of an application can live on it in between. It knows nothing of where migrations come from or
// who asks.
//
// A bundle of migrations is a file system with expand/*.sql and contract/*.sql in goose's format,
// which goose runs, and backfill/*.json. Each phase has its own version table. A journal beside
// them keeps what goose's tables don't: which release ran a file, and the file as it ran, so that
// undoing needs no bundle and a file that was changed afterwards is noticed.
//
// Everything may be killed at any point and run again: what has a transaction happens with its
// mark in the version table or not at all; files without one must hold statements that may run
// twice.
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

var (
	// ErrOutOfTime says that the context's time ran out with work done: call again to go on.
	ErrOutOfTime = errors.New("out of time, to be continued")
	// ErrUnreachable says that the database does not answer, or broke off: it may restart, or wake up.
	// Ask again.
	ErrUnreachable = errors.New("the database does not answer")
	// ErrRowsLeft says that a declared backfill has rows left, so that a contract would lose their
	// data.
	ErrRowsLeft = errors.New("the backfill is not done")
	// ErrContracted says that a contract has begun, after which no expand can be undone.
	ErrContracted = errors.New("the contract has begun: there is no way back")
	// ErrFenced says that somebody who came later has had the schema.
	ErrFenced = errors.New("the lock was lost")
	// ErrChanged says that a file is not what it was when it ran.
	ErrChanged = errors.New("the file was changed after it ran")
)

// Connection says which database.
type Connection struct {
	// URL is postgres://user:password@host:port/database?sslmode=...
	URL string
	// Authorities are the certificates, as PEM, of whom to trust with sslmode=verify-full. Default:
	// those of the system and of RDS.
	Authorities string
}

// Options says how patient to be with the application's queries.
type Options struct {
	// LockTimeout is how long a statement may wait for a lock, and how long the application's queries
	// may wait for it: then it is cut off and tried again. Default, and at most: half of the server's
	// deadlock_timeout, so that whoever of the application is in a deadlock with it is let through
	// before the server ends them.
	LockTimeout time.Duration
	// Patience is how long a call may spend, all in all, on what was cut off or got no lock. Default:
	// 2 min.
	Patience time.Duration
	// Fence grows with each that may change the schema, as Ledger counts them. The database keeps the
	// highest that did: whoever has a lower one was taken for dead, and is refused. 0 keeps out nobody
	// and is let through.
	Fence  int64
	Ledger string

	trace pgx.QueryTracer // of tests that kill
}

// Database is one application's database.
type Database struct {
	db      *sql.DB
	aside   *sql.DB // for who watches, while db's connection is busy
	options Options
}

// Open connects. Its errors don't hold the password.
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
	if err := aside.QueryRowContext(ctx, "SELECT setting FROM pg_settings WHERE name = "+
		"'deadlock_timeout'").Scan(&deadlock); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to database %s: %w", config.Database, reached(err)),
			aside.Close())
	}

	if most := time.Duration(deadlock) * time.Millisecond / 2; o.LockTimeout <= 0 ||
		o.LockTimeout > most {
		o.LockTimeout = most
	}

	config.RuntimeParams["lock_timeout"] = strconv.FormatInt(max(1, o.LockTimeout.Milliseconds()), 10)
	config.Tracer = o.trace
	db := stdlib.OpenDB(*config)
	db.SetMaxIdleConns(0) // a session ends with its work, and with it its locks and settings
	aside.SetMaxIdleConns(0)

	return &Database{db: db, aside: aside, options: o}, nil
}

// Close gives the connections back.
func (d *Database) Close() error { return errors.Join(d.db.Close(), d.aside.Close()) }

// Versions is the newest version that each phase has applied, 0 for none.
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
