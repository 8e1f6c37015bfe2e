package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Sync makes active carry exactly what fallback carries, so that a release which brings only some
// layers finds the others as the viewers have them. Nobody is served by active while it runs. Run
// twice, it finds less to do. It returns SyncFailed.
type Sync struct{ environment.Syncer }

func (s *Sync) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := s.Ledger.Enter(ctx, doc, sm.Sync); err != nil {
		return doc, err
	}

	if err := s.Ledger.Lease(doc).WaitOutPrevious(ctx); err != nil {
		return doc, err
	}

	text, err := s.level(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.SyncFailed, fmt.Sprintf("sync %s with %s", doc.Active, doc.Fallback), err)
	}

	_, err = s.Ledger.Append(ctx, doc, sm.Event{State: sm.Sync, Kind: sm.EventSynced, Text: text})

	return doc, err
}

func (s *Sync) level(ctx context.Context, doc sm.Document) (string, error) {
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
	// What events call is level already, unless somebody moved it by hand.
	if err := s.Follower().Follow(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}

	moved, err := s.Functions(ctx, doc)
	if err != nil {
		return "", err
	}
	// Also a site of the same bundle is written anew: its entry pages name the release.
	if !before.InSync || before.Release != from.Release {
		if err := s.Site(ctx, doc, from.Site, from.Release); err != nil {
			return "", err
		}
	}

	if err := s.Stage(ctx, doc, doc.Active, from.Release); err != nil {
		return "", err
	}

	if err := s.Ledger.SaveEnvironment(ctx, doc, ledger.SyncedState(from, doc.Active)); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is level with %s, which carries %s: %s moved", doc.Active, doc.Fallback,
		release.OrNothing(from.Release), environment.Aliases(moved)), nil
}
