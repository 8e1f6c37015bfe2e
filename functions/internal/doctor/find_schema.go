package doctor

import (
	"context"
	"fmt"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/schema"
	sm "lockstep/statemachine"
)

const (
	// SchemaWide is a schema that is still expanded for a release that is not live.
	SchemaWide sm.FindingKind = "schemaWide"
	// SchemaUncontracted is a schema that was never contracted to the release that is live.
	SchemaUncontracted sm.FindingKind = "schemaUncontracted"
)

// migrations finds those of releases that have ended.
type migrations struct {
	ledger   ledger.Ledger
	settings sm.Settings
	bundles  artifact.Reader
	open     schema.Open
}

func (f migrations) find(ctx context.Context, v *view) ([]finding, error) {
	if f.settings.Database == nil {
		return nil, nil
	}

	widened, err := f.widened(ctx)
	if err != nil {
		return nil, err
	}

	var found []finding

	for _, id := range widened {
		record, known := v.record(id)
		if known && record.Outcome == sm.Released {
			found = append(found, finding{Finding: sm.Finding{
				Kind: SchemaUncontracted, Subject: id,
				Text:   fmt.Sprintf("%s is live, but the schema was never contracted to it", id),
				Repair: "run its contract migrations",
			}, repair: func(ctx context.Context, doc sm.Document) error {
				return f.contract(ctx, doc, id)
			}})

			continue
		}

		found = append(found, finding{Finding: sm.Finding{
			Kind: SchemaWide, Subject: id,
			Text:   fmt.Sprintf("the schema is still expanded for %s, which is not live", id),
			Repair: "undo its expand migrations",
		}, repair: func(ctx context.Context, doc sm.Document) error {
			return f.undo(ctx, doc, id, known)
		}})
	}

	return found, nil
}

// widened names the releases whose expand migrations can still be undone.
func (f migrations) widened(ctx context.Context) ([]string, error) {
	database, err := f.open(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}

	defer database.Close()

	return database.Widened(ctx)
}

func (f migrations) undo(ctx context.Context, doc sm.Document, id string, recorded bool) error {
	lease := f.ledger.Lease(doc)
	if err := lease.Verify(ctx); err != nil {
		return err
	}

	database, err := f.open(ctx, lease.SchemaToken())
	if err != nil {
		return err
	}

	defer database.Close()

	if _, err := database.UndoExpand(ctx, id); err != nil || !recorded {
		return err
	}

	_, err = ledger.Update(ctx, f.ledger.Store, sm.RecordKey(id), func(r *sm.Record) error {
		r.Expanded = false
		return nil
	})

	return err
}

func (f migrations) contract(ctx context.Context, doc sm.Document, id string) error {
	lease := f.ledger.Lease(doc)
	if err := lease.Verify(ctx); err != nil {
		return err
	}

	database, files, err := schema.Migrations(ctx, f.bundles, f.open, id, lease.SchemaToken())
	if err != nil || database == nil {
		return err
	}

	defer database.Close()

	_, err = database.Contract(ctx, id, files)

	return err
}
