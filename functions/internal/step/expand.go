package step

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Schema changes the application's database by a release's migrations, and says in words what it did. What
// a call has no time for is Unfinished, and Unreachable where the database does not answer: the machine calls again.
type Schema interface {
	Expand(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	UndoExpand(ctx context.Context, release string) (report string, err error)
	Contract(ctx context.Context, release string, migrations fs.FS) (report string, err error)
	// OldClients tells whether clients of another release used the database within that time, and says what
	// it found.
	OldClients(ctx context.Context, release string, quiet time.Duration) (busy bool, found string, err error)
	// Widened names the releases whose expand migrations can still be undone.
	Widened(ctx context.Context) (releases []string, err error)
	Close() error
}

// OpenSchema connects to the application's database, to change it under a fence: with one lower than it has seen, each
// change is LockLost. 0 is for who only looks.
type OpenSchema func(ctx context.Context, fence int64) (Schema, error)

// Expand widens the schema so that the old and the new version can live on it, and, for a document that
// is rolled back, takes it back to where the release found it. Run twice, or killed between two
// statements, it goes on from the version table. It returns ExpandFailed, RollbackFailed when it undoes,
// Unfinished when a backfill has more rows than one invocation has time for, Unreachable, and AlarmBreached and
// OperatorRollback for what arrived while nobody waited.
type Expand struct {
	Book    Book
	Bundles Bundles
	Open    OpenSchema // nil where the application has no database
}

func (e *Expand) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if doc.Outcome == sm.RolledBack {
		return e.undo(ctx, doc)
	}
	record, err := e.Book.Enter(ctx, doc, sm.Expand)
	if err != nil {
		return doc, err
	}
	if err := interruption(record); err != nil { // a backfill may take hours, and comes here after each invocation
		return doc, err
	}
	text, err := e.expand(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.ExpandFailed, "expand the schema for "+doc.Release, err)
	}
	_, err = e.Book.Tell(ctx, doc, sm.Expand, text)
	return doc, err
}

func (e *Expand) expand(ctx context.Context, doc sm.Document) (string, error) {
	schema, migrations, err := openMigrations(ctx, e.Bundles, e.Open, doc.Release, schemaFence(doc))
	if err != nil || schema == nil {
		return "no migrations: the schema stays as it is", err
	}
	defer schema.Close()
	// Noted before the first statement: a rollback must know that there may be something to undo.
	if _, err := e.Book.Update(ctx, doc, func(r *sm.Record) error {
		r.Expanded = true
		return nil
	}); err != nil {
		return "", err
	}
	report, err := schema.Expand(ctx, doc.Release, migrations)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the schema is wide enough for both versions: %s", report), nil
}

func (e *Expand) undo(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if err := e.Book.Hold(ctx, doc); err != nil {
		return doc, err
	}
	record, err := e.Book.Record(ctx, doc.Release)
	gone := record.Execution == ""
	if err != nil || e.Open == nil || !record.Expanded && !gone {
		return doc, err
	}
	began := time.Now()
	report, err := e.narrow(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.RollbackFailed, "undo the expand migrations of "+doc.Release, err)
	}
	_, err = e.Book.Tell(ctx, doc, sm.UndoExpand, fmt.Sprintf("the schema is as it was, after %s: %s", time.Since(began).Round(time.Millisecond), report),
		func(r *sm.Record) { r.Expanded = false })
	return doc, err
}

func (e *Expand) narrow(ctx context.Context, doc sm.Document) (string, error) {
	schema, err := e.Open(ctx, schemaFence(doc))
	if err != nil {
		return "", fmt.Errorf("connect to the database: %w", err)
	}
	defer schema.Close()
	return schema.UndoExpand(ctx, doc.Release)
}

// schemaFence is under which fence a step changes the schema: a rollback's is newer than that of what it undoes, which may linger.
func schemaFence(doc sm.Document) int64 {
	if doc.Outcome == sm.RolledBack {
		return 2*doc.Fence + 1
	}
	return 2 * doc.Fence
}

// openMigrations is a release's migrations and the database they are for; a nil schema where it has none.
func openMigrations(ctx context.Context, bundles Bundles, open OpenSchema, releaseID string, fence int64) (Schema, fs.FS, error) {
	m, err := loadManifest(ctx, bundles, releaseID)
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
	schema, err := open(ctx, fence)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}
	return schema, archive, nil
}
