// Package schema is the application's database as the steps change it.
package schema

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/release"
)

// Database changes the application's database by a release's migrations, and reports in words what
// it did. Each method but Close returns Unfinished where the call ran out of time with work left,
// Unreachable where the database does not answer, and LockLost where it was opened with a fencing
// token lower than the database has seen.
type Database interface {
	// Expand runs the expand migrations that have not run yet, with their backfills.
	Expand(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	// UndoExpand runs the Down of the expand migrations that the release brought.
	UndoExpand(ctx context.Context, release string) (report string, err error)
	// Contract runs the contract migrations that have not run yet.
	Contract(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	// OldClients tells whether clients of another release used the database within a time, and says
	// what it found.
	OldClients(ctx context.Context, release string, within time.Duration,
	) (busy bool, found string, err error)
	// Widened names the releases whose expand migrations can still be undone.
	Widened(ctx context.Context) (releases []string, err error)
	Close() error
}

// Open connects to the application's database, to change it under a fencing token: see
// ledger.Lease.SchemaToken. 0 is for who only reads.
type Open func(ctx context.Context, fencingToken int64) (Database, error)

// Migrations opens the database together with the migrations that a release brings for it. The
// database is nil where the release brings none.
func Migrations(ctx context.Context, bundles artifact.Reader, open Open, releaseID string,
	fencingToken int64,
) (Database, fs.FS, error) {
	m, err := artifact.Manifest(ctx, bundles, releaseID)
	if err != nil || m.Migrations == nil {
		return nil, nil, err
	}

	data, err := bundles.Read(ctx, m.Key(*m.Migrations), release.MaxArtifact)
	if err != nil {
		return nil, nil, err
	}

	archive, err := release.OpenArchive(m.Migrations.Object, data, m.Migrations.SHA256)
	if err != nil {
		return nil, nil, err
	}

	database, err := open(ctx, fencingToken)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}

	return database, archive, nil
}
