package step

import (
	"context"
	"fmt"

	sm "lockstep/statemachine"
)

// Sync makes active carry exactly what fallback carries, so that a release which brings only some layers
// finds the others as the viewers have them. Nobody is served by active while it runs. Run twice, it
// finds less to do. It returns SyncFailed.
type Sync struct{ Leveler }

func (s *Sync) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := s.Book.Enter(ctx, doc, sm.Sync); err != nil {
		return doc, err
	}
	if err := s.Book.Outlast(ctx, doc); err != nil {
		return doc, err
	}
	text, err := s.level(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.SyncFailed, fmt.Sprintf("sync %s with %s", doc.Active, doc.Fallback), err)
	}
	_, err = s.Book.Tell(ctx, doc, sm.Sync, text)
	return doc, err
}

func (s *Sync) level(ctx context.Context, doc sm.Document) (string, error) {
	from, err := s.Book.Carries(ctx, doc.Fallback)
	if err != nil {
		return "", err
	}
	before, err := s.Book.Carries(ctx, doc.Active)
	if err != nil {
		return "", err
	}
	if _, err := s.Book.unsettle(ctx, doc); err != nil {
		return "", err
	}
	// What events call is level already, unless somebody moved it by hand.
	if err := s.follower().follow(ctx, doc, doc.Fallback); err != nil {
		return "", err
	}
	moved, err := s.functions(ctx, doc)
	if err != nil {
		return "", err
	}
	// Also a site of the same bundle is written anew: its entry pages name the release.
	if !before.Settled || before.Release != from.Release {
		if err := s.site(ctx, doc, from.Site, from.Release); err != nil {
			return "", err
		}
	}
	if err := s.stage(ctx, doc, doc.Active, from.Release); err != nil {
		return "", err
	}
	if err := s.Book.Carry(ctx, doc, carried(from, doc.Active)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is level with %s, which carries %s: %s moved", doc.Active, doc.Fallback, orNothing(from.Release), aliases(moved)), nil
}
