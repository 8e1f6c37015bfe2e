package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Sync makes active exactly what fallback is, so that a release which brings only some layers
// finds the others as the viewers have them. No viewer is served by active while it runs. Run
// twice, it finds less to do. It returns SyncFailed.
type Sync struct{ environment.Layers }

// Run syncs.
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

	event := sm.Event{State: sm.Sync, Kind: sm.EventSynced, Text: text}
	_, err = s.Ledger.Append(ctx, doc, event)

	return doc, err
}

func (s *Sync) sync(ctx context.Context, doc sm.Document) (string, error) {
	from, err := s.Ledger.Environment(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}

	before, err := s.Ledger.Environment(ctx, doc.Active)
	if err != nil {
		return "", err
	}

	if _, err := s.Ledger.MarkOutOfSync(ctx, doc); err != nil {
		return "", err
	}

	// What events call is in sync already, unless somebody moved it by hand.
	if err := s.Events.Sync(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}

	moved, err := s.Functions.Sync(ctx, doc)
	if err != nil {
		return "", err
	}

	// A site of the same bundle is written too: its entry pages name the release.
	if !before.InSync || before.Release != from.Release {
		if err := s.Site.Write(ctx, doc, from.Site, from.Release); err != nil {
			return "", err
		}
	}

	if err := s.Stage.Write(ctx, doc, doc.Active, from.Release); err != nil {
		return "", err
	}

	synced := ledger.SyncedState(from, doc.Active)
	if err := s.Ledger.SaveEnvironment(ctx, doc, synced); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is in sync with %s, which has %s: %s moved",
		doc.Active, doc.Fallback, release.OrNothing(from.Release), aliases(moved)), nil
}

func aliases(n int) string {
	if n == 1 {
		return "1 alias"
	}

	return fmt.Sprintf("%d aliases", n)
}
