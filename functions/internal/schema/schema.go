// Package schema is the application's database as the steps change it.
package schema

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Schema changes the application's database by a release's migrations, and says in words what it
// did. What a call has no time for is Unfinished, and Unreachable where the database does not
// answer: the machine calls again.
type Database interface {
	Expand(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	UndoExpand(ctx context.Context, release string) (report string, err error)
	Contract(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	// OldClients tells whether clients of another release used the database within that time, and says
	// what it found.
	OldClients(ctx context.Context, release string, quiet time.Duration) (busy bool, found string,
		err error)
	// Widened names the releases whose expand migrations can still be undone.
	Widened(ctx context.Context) (releases []string, err error)
	Close() error
}

// OpenSchema connects to the application's database, to change it under a fence: with one lower
// than it has seen, each change is LockLost. 0 is for who only looks.
type Open func(ctx context.Context, fence int64) (Database, error)

// schemaFence is under which fence a step changes the schema: a rollback's is newer than that of
// what it undoes, which may linger.
func Fence(doc sm.Document) int64 {
	if doc.Outcome == sm.RolledBack {
		return 2*doc.Fence + 1
	}

	return 2 * doc.Fence
}

// openMigrations is a release's migrations and the database they are for; a nil schema where it
// has none.
func Migrations(ctx context.Context, bundles artifact.Reader, open Open, releaseID string,
	fence int64) (Database, fs.FS, error) {
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

	database, err := open(ctx, fence)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}

	return database, archive, nil
}
