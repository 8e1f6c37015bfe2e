package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/schema"
	sm "lockstep/statemachine"
)

// Expand widens the schema so that the old and the new version can live on it. For a document that
// is rolled back, it takes the schema back to where the release found it: the state UndoExpand.
//
// Run twice, or killed between two statements, it goes on from the version table. It returns
// ExpandFailed, RollbackFailed when it undoes, Unfinished where a backfill has more rows than one
// invocation has time for, Unreachable, and AlarmBreached and OperatorRollback for what arrived
// while no token waited.
type Expand struct {
	Ledger  ledger.Ledger
	Bundles artifact.Reader
	Open    schema.Open // nil where the application has no database
}

// Run expands, or undoes.
func (e *Expand) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if doc.Outcome == sm.RolledBack {
		return e.undo(ctx, doc)
	}

	record, err := e.Ledger.Enter(ctx, doc, sm.Expand)
	if err != nil {
		return doc, err
	}

	// A backfill may take hours, and comes here after each invocation.
	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	text, err := e.expand(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.ExpandFailed, "expand the schema for "+doc.Release, err)
	}

	event := sm.Event{State: sm.Expand, Kind: sm.EventExpanded, Text: text}
	_, err = e.Ledger.Append(ctx, doc, event)

	return doc, err
}

func (e *Expand) expand(ctx context.Context, doc sm.Document) (string, error) {
	token := e.Ledger.Lease(doc).SchemaToken()

	database, migrations, err := schema.Migrations(ctx, e.Bundles, e.Open, doc.Release, token)
	if err != nil || database == nil {
		return "no migrations: the schema stays as it is", err
	}

	defer database.Close()

	// Recorded before the first statement: a rollback must know that there may be something to undo.
	if _, err := e.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		r.Expanded = true
		return nil
	}); err != nil {
		return "", err
	}

	report, err := database.Expand(ctx, doc.Release, migrations)
	if err != nil {
		return "", err
	}

	return "the schema is wide enough for both versions: " + report, nil
}

func (e *Expand) undo(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if err := e.Ledger.Lease(doc).Verify(ctx); err != nil {
		return doc, err
	}

	record, err := e.Ledger.Record(ctx, doc.Release)
	missing := record.Execution == ""

	if err != nil || e.Open == nil || !record.Expanded && !missing {
		return doc, err
	}

	began := time.Now()

	report, err := e.narrow(ctx, doc)
	if err != nil {
		op := "undo the expand migrations of " + doc.Release
		return doc, sm.Wrap(sm.RollbackFailed, op, err)
	}

	event := sm.Event{
		State: sm.UndoExpand, Kind: sm.EventSchemaRestored,
		Text: fmt.Sprintf("the schema is as it was, after %s: %s",
			time.Since(began).Round(time.Millisecond), report),
	}
	_, err = e.Ledger.Append(ctx, doc, event, func(r *sm.Record) { r.Expanded = false })

	return doc, err
}

func (e *Expand) narrow(ctx context.Context, doc sm.Document) (string, error) {
	database, err := e.Open(ctx, e.Ledger.Lease(doc).SchemaToken())
	if err != nil {
		return "", fmt.Errorf("connect to the database: %w", err)
	}

	defer database.Close()

	return database.UndoExpand(ctx, doc.Release)
}
