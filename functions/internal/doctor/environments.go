package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// examineEnvironments holds each environment's stage, aliases and site against what the ledger
// says it carries.
func (r *Repair) examineEnvironments(ctx context.Context, b books) ([]fix, error) {
	var fixes []fix

	roles := r.roles(ctx, b)
	for _, e := range []sm.Environment{roles.Fallback, roles.Active} {
		c := b.carries[e]
		if c.Release == "" {
			continue
		}

		var wrong []string
		if !c.InSync {
			wrong = append(wrong, "it was left half written")

			if e == roles.Active {
				c = ledger.SyncedState(b.carries[roles.Fallback], e)
			}
		}

		more, err := r.differences(ctx, e, c)
		if err != nil {
			return nil, err
		}

		if wrong = append(wrong, more...); len(wrong) == 0 {
			continue
		}

		fixes = append(fixes, fix{sm.Finding{What: fmt.Sprintf("%s is not what it should be, %s: %s", e,
			release.OrNothing(c.Release), strings.Join(wrong, "; ")),
			Repair: "make it carry " + release.OrNothing(c.Release) +
				" again"}, false, func(ctx context.Context, doc sm.Document) error {
			return r.restore(ctx, doc,
				e, c)
		}})
	}

	return fixes, nil
}

// differences says in which layers an environment is another than it should be.
func (r *Repair) differences(ctx context.Context, e sm.Environment,
	c sm.EnvironmentState) ([]string, error) {
	var wrong []string

	alias, stamp, err := r.Sees.Stage(ctx, e)
	if err != nil {
		return nil, err
	}

	if alias != e || stamp != c.Release {
		wrong = append(wrong, fmt.Sprintf("stage %s calls the aliases %s as %s", e.Stage(), alias,
			release.OrNothing(stamp)))
	}

	for name, want := range c.Functions {
		have, err := r.Versions.At(ctx, name, e)
		if err != nil {
			return nil, err
		}

		switch {
		case want.Version == "":
			wrong = append(wrong, fmt.Sprintf("no alias of %s names what %s brought", name, want.Release))
		case have.Version != want.Version:
			wrong = append(wrong, fmt.Sprintf("alias %s of %s names version %s, not %s", e, name,
				have.Version, want.Version))
		}
	}

	slices.Sort(wrong)

	site, err := r.siteDifferences(ctx, e, c)

	return append(wrong, site...), err
}

func (r *Repair) siteDifferences(ctx context.Context, e sm.Environment,
	c sm.EnvironmentState) (wrong []string, err error) {
	if c.Site == nil {
		return nil, nil
	}

	assets, entries, err := r.Render(ctx, c.Site, e, c.Release)
	switch {
	case err != nil && sm.Name(err) != "": // it will pass
		return nil, err
	case err != nil: // no site can be written of it, so no release could be brought level or rolled back
		return []string{fmt.Sprintf("its site cannot be written any more: %v: lockstep release of %s, "+
			"with what it was made of, uploads it again", err, c.Site.Release)}, nil
	}

	pages := make([]release.Page, 0, len(assets)+len(entries))
	keep := map[string]bool{}

	for _, page := range assets {
		pages = append(pages, page.Stamped(c.Site.Release))
	}

	for _, page := range entries {
		pages, keep[page.Path] = append(pages, page.Stamped(c.Release)), true
	}

	for _, page := range pages {
		same, err := r.Sees.Page(ctx, e, page)
		if err != nil {
			return nil, err
		}

		if !same {
			wrong = append(wrong, "the site's "+page.Path+" is missing or was written over")
		}
	}

	there, err := r.Sites.List(ctx, e)
	if err != nil {
		return nil, err
	}

	for _, path := range there {
		if !keep[path] && !strings.HasPrefix(path, environment.AssetsOf(c.Site)) {
			wrong = append(wrong, "the site has a page of nobody's, "+path)
		}
	}

	return wrong, nil
}

// examineEvents holds what events call against what the fallback carries, which serves.
func (r *Repair) examineEvents(ctx context.Context, b books) ([]fix, error) {
	var wrong []string

	e := r.roles(ctx, b).Fallback
	for _, f := range r.Settings.Functions {
		want, carried := b.carries[e].Functions[f.Name]
		if !f.Live || !carried {
			continue
		}

		have, err := r.Versions.Followed(ctx, f.Name)
		if err != nil {
			return nil, err
		}

		if have.SHA256 != want.SHA256 { // of a lost note the version is not known
			wrong = append(wrong, fmt.Sprintf("alias %s of %s names version %s, not what %s brought",
				sm.LiveAlias, f.Name, have.Version, want.Release))
		}
	}

	if len(wrong) == 0 {
		return nil, nil
	}

	return []fix{{sm.Finding{What: "events call another release than viewers: " +
			strings.Join(wrong, "; "), Repair: "let them call what " + string(e) + " carries"}, false,
			func(ctx context.Context, doc sm.Document) error { return r.Follower().Follow(ctx, doc, e) }}},
		nil
}

// Sees looks at what only Repair asks about.
type Sees struct {
	Stage func(ctx context.Context, e sm.Environment) (alias sm.Environment, release string, err error)
	// Page tells whether the site has this very page, with its stamps.
	Page func(ctx context.Context, e sm.Environment, page release.Page) (bool, error)
}

// restore makes an environment, be it the fallback, what it should be: the steps write into the
// active one of their document, so this one's says that it is the one.
func (r *Repair) restore(ctx context.Context, doc sm.Document, e sm.Environment,
	c sm.EnvironmentState) error {
	doc.Active, doc.Fallback = e, e.Other()

	for name, want := range c.Functions {
		if want.Version == "" {
			m, err := artifact.Manifest(ctx, r.Bundles, want.Release)
			if err != nil {
				return err
			}

			if want.Version, err = r.Versions.Publish(ctx, name, r.Settings.StateBucket,
				m.Key(m.Functions[name]), want.SHA256); err != nil {
				return err
			}

			c.Functions[name] = want
		}

		if err := r.Point(ctx, doc, name, want.Version); err != nil {
			return err
		}
	}

	if err := r.Site(ctx, doc, c.Site, c.Release); err != nil {
		return err
	}

	if err := r.Stage(ctx, doc, e, c.Release); err != nil {
		return err
	}

	c.InSync = true

	return r.Ledger.SaveEnvironment(ctx, doc, c)
}
