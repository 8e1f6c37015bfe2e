package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Sync makes active the same as fallback, so that a release which brings only some layers finds
// the others as viewers have them. The weight is 0 while it runs. Run twice, it finds less to do.
// Its errors are SyncFailed, unless they have the name of a lease lost or of AWS being busy.
type Sync struct{ environment.Layers }

// Run syncs active and answers with the document as it came.
func (s *Sync) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := s.Ledger.Enter(ctx, doc, sm.Sync); err != nil {
		return doc, err
	}

	if err := s.Ledger.Lease(doc).WaitOutPrevious(ctx); err != nil {
		return doc, err
	}

	text, err := s.sync(ctx, doc)
	if err != nil {
		op := fmt.Sprintf("sync %s with %s", doc.Active, doc.Fallback)
		return doc, sm.Wrap(sm.SyncFailed, op, err)
	}

	_, err = s.Ledger.Append(ctx, doc, sm.Event{State: sm.Sync, Kind: sm.EventSynced, Text: text})

	return doc, err
}

// sync marks active out of sync before its first write, and in sync after its last one.
func (s *Sync) sync(ctx context.Context, doc sm.Document) (text string, err error) {
	want, err := s.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}

	now, err := s.Ledger.Environment(ctx, doc.Active)
	if err != nil {
		return "", err
	}

	if _, err := s.Ledger.MarkOutOfSync(ctx, doc); err != nil {
		return "", err
	}

	// Events call fallback already, unless somebody moved the alias by hand.
	if err := s.Events.Sync(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}

	done, err := s.Layers.Sync(ctx, doc, now, want)
	if err != nil {
		return "", err
	}

	if err := s.Ledger.SaveEnvironment(ctx, doc, ledger.SyncedState(want, doc.Active)); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is in sync with %s, which has %s: %s", doc.Active, doc.Fallback,
		release.OrNothing(want.Release), done), nil
}
