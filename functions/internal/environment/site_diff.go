package environment

import (
	"context"
	"fmt"

	sm "lockstep/statemachine"
)

// Diff finds pages that are missing, changed or unexpected. Assets of older releases are expected:
// they stay for open tabs. Without a site in state, anything may be in the bucket. A bundle that is
// missing or damaged is a difference too: no environment could be synced with it, or rolled back
// to it.
func (s Site) Diff(ctx context.Context, e sm.Environment,
	state sm.EnvironmentState) ([]Difference, error) {
	if state.Site == nil {
		return nil, nil
	}

	assets, entries, err := s.render(ctx, e, state)

	switch {
	case err != nil && !sm.IsCorrupt(err):
		return nil, err
	case err != nil:
		return []Difference{{BundleLost, state.Site.Key, fmt.Sprintf(
			"its site cannot be written any more: %v; run \"lockstep release\" with the bundle of %s, "+
				"which uploads it again", err, state.Site.Release)}}, nil
	}

	var found []Difference

	for _, page := range append(assets, entries...) {
		same, err := s.Sites.Same(ctx, e, page)
		if err != nil {
			return nil, err
		}

		if !same {
			found = append(found, Difference{PageChanged, page.Path,
				"the site's " + page.Path + " is missing or was overwritten"})
		}
	}

	unexpected, err := s.unexpected(ctx, e, state.Site, entries)
	if err != nil {
		return nil, err
	}

	for _, path := range unexpected {
		found = append(found, Difference{PageUnexpected, path,
			"unexpected page in the site bucket: " + path})
	}

	return found, nil
}
