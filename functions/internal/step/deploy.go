package step

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// Deploy puts the release into active: it publishes every function and verifies them all before it
// moves the first alias, then writes the site, then the stage's stamp, and opens the preview to
// testers. No viewer is served by active while it runs. Run twice, unchanged code publishes no new
// version and everything else is where it was put. It returns DeployFailed.
type Deploy struct {
	environment.Syncer
	Routes routing.Routes
	// Secret makes a secret for testers, anew for each release.
	Secret func() string
}

func (d *Deploy) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := d.Ledger.Enter(ctx, doc, sm.Deploy); err != nil {
		return doc, err
	}

	if err := d.Ledger.Lease(doc).WaitOutPrevious(ctx); err != nil {
		return doc, err
	}

	text, err := d.deploy(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.DeployFailed, fmt.Sprintf("deploy %s to %s", doc.Release, doc.Active), err)
	}

	_, err = d.Ledger.Append(ctx, doc, sm.Event{State: sm.Deploy, Kind: sm.EventDeployed, Text: text})

	return doc, err
}

func (d *Deploy) deploy(ctx context.Context, doc sm.Document) (string, error) {
	m, err := artifact.Manifest(ctx, d.Bundles, doc.Release)
	if err != nil {
		return "", err
	}

	carries, err := d.Ledger.MarkOutOfSync(ctx, doc)
	if err != nil {
		return "", err
	}

	published, err := d.publish(ctx, m)
	if err != nil {
		return "", err
	}

	if carries.Functions == nil {
		carries.Functions = map[string]sm.FunctionState{}
	}

	for _, name := range m.FunctionNames() {
		if err := d.Point(ctx, doc, name, published[name].Version); err != nil {
			return "", err
		}

		carries.Functions[name] = published[name]
	}

	if m.Site != nil {
		carries.Site = &sm.SiteState{Release: doc.Release, Key: m.Key(m.Site.Artifact),
			SHA256: m.Site.SHA256, Assets: m.Site.AssetsPrefix()}
	}

	if err := d.Site(ctx, doc, carries.Site, doc.Release); err != nil {
		return "", err
	}

	if err := d.Stage(ctx, doc, doc.Active, doc.Release); err != nil {
		return "", err
	}

	carries.Release, carries.Sequence, carries.InSync = doc.Release, doc.Sequence, true
	if err := d.Ledger.SaveEnvironment(ctx, doc, carries); err != nil {
		return "", err
	}

	if err := d.openPreview(ctx, doc); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is in %s: %s", doc.Release, doc.Active, layers(m)), nil
}

// publish makes a version of each function, side by side: Lambda takes seconds for each, and an
// app may have hundreds.
func (d *Deploy) publish(ctx context.Context, m sm.Manifest) (map[string]sm.FunctionState, error) {
	names := m.FunctionNames()
	versions := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(environment.SideBySide)

	for i, name := range names {
		group.Go(func() (err error) {
			code := m.Functions[name]
			versions[i], err = d.Versions.Publish(ctx, name, d.Settings.StateBucket, m.Key(code),
				code.SHA256)

			return err
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	published := map[string]sm.FunctionState{}
	for i, name := range names {
		published[name] = sm.FunctionState{Release: m.Release, Version: versions[i],
			SHA256: m.Functions[name].SHA256}
	}

	return published, nil
}

// layers says what a release brings.
func layers(m sm.Manifest) string {
	text := "no new functions"
	if n := len(m.Functions); n > 0 {
		text = fmt.Sprintf("functions: %d", n)
	}

	if m.Site != nil {
		return text + ", a new site"
	}

	return text + ", the site as it was"
}
