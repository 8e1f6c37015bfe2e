package environment

import (
	"context"
	"fmt"
	"strings"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// Diff compares the pages of an environment with its state. A bundle that is missing or damaged is
// a difference too: no environment could be synced with it, or rolled back to it.
func (s Site) Diff(
	ctx context.Context, e sm.Environment, state sm.EnvironmentState,
) ([]Difference, error) {
	site := state.Site
	if site == nil {
		return nil, nil
	}

	pages, err := s.Render(ctx, site, e, state.Release)

	switch {
	case err != nil && !sm.IsCorrupt(err):
		return nil, err
	case err != nil:
		return []Difference{{LayerSite, site.Key, fmt.Sprintf(
			"its site cannot be written any more: %v; run \"lockstep release\" with the bundle of %s, "+
				"which uploads it again", err, site.Release)}}, nil
	}

	changed, err := s.changed(ctx, e, state, pages)
	if err != nil {
		return nil, err
	}

	unexpected, err := s.unexpected(ctx, e, site, pages)

	return append(changed, unexpected...), err
}

func (s Site) changed(
	ctx context.Context, e sm.Environment, state sm.EnvironmentState, pages Pages,
) ([]Difference, error) {
	stamped := make([]release.Page, 0, len(pages.assets)+len(pages.entries))
	for _, page := range pages.assets {
		stamped = append(stamped, page.Stamped(state.Site.Release))
	}

	for _, page := range pages.entries {
		stamped = append(stamped, page.Stamped(state.Release))
	}

	var list []Difference

	for _, page := range stamped {
		same, err := s.Sites.Same(ctx, e, page)
		if err != nil {
			return nil, err
		}

		if !same {
			text := "the site's " + page.Path + " is missing or was written over"
			list = append(list, Difference{LayerSite, page.Path, text})
		}
	}

	return list, nil
}

func (s Site) unexpected(
	ctx context.Context, e sm.Environment, site *sm.SiteState, pages Pages,
) ([]Difference, error) {
	keep := map[string]bool{}
	for _, page := range pages.entries {
		keep[page.Path] = true
	}

	paths, err := s.Sites.List(ctx, e)
	if err != nil {
		return nil, err
	}

	var list []Difference

	for _, path := range paths {
		if !keep[path] && !strings.HasPrefix(path, assetsPrefix(site)) {
			text := "unexpected page in the site bucket: " + path
			list = append(list, Difference{LayerSite, path, text})
		}
	}

	return list, nil
}
