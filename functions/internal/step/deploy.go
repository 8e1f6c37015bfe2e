package step

import (
	"context"
	"fmt"
	"maps"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// Deploy puts the release into active: it publishes every function and verifies them all before it
// moves the first alias, then writes the site, then the stage's stamp, and opens the preview to
// testers. No viewer is served by active while it runs.
//
// Run twice, unchanged code publishes no new version, and everything else is where it was put. It
// returns DeployFailed.
type Deploy struct {
	environment.Layers

	Routes routing.Routes
	// Secret makes a secret for testers, anew for each release.
	Secret func() string
}

// Run deploys.
func (d *Deploy) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := d.Ledger.Enter(ctx, doc, sm.Deploy); err != nil {
		return doc, err
	}

	if err := d.Ledger.Lease(doc).WaitOutPrevious(ctx); err != nil {
		return doc, err
	}

	text, err := d.deploy(ctx, doc)
	if err != nil {
		op := fmt.Sprintf("deploy %s to %s", doc.Release, doc.Active)
		return doc, sm.Wrap(sm.DeployFailed, op, err)
	}

	event := sm.Event{State: sm.Deploy, Kind: sm.EventDeployed, Text: text}
	_, err = d.Ledger.Append(ctx, doc, event)

	return doc, err
}

func (d *Deploy) deploy(ctx context.Context, doc sm.Document) (string, error) {
	m, err := artifact.Manifest(ctx, d.Bundles, doc.Release)
	if err != nil {
		return "", err
	}

	state, err := d.Ledger.MarkOutOfSync(ctx, doc)
	if err != nil {
		return "", err
	}

	deployed, err := d.Functions.Deploy(ctx, doc, m)
	if err != nil {
		return "", err
	}

	if state.Functions == nil {
		state.Functions = map[string]sm.FunctionState{}
	}

	maps.Copy(state.Functions, deployed)

	if m.Site != nil {
		state.Site = &sm.SiteState{
			Release: doc.Release, Key: m.Key(m.Site.Artifact),
			SHA256: m.Site.SHA256, Assets: m.Site.AssetsPrefix(),
		}
	}

	if err := d.Site.Write(ctx, doc, state.Site, doc.Release); err != nil {
		return "", err
	}

	if err := d.Stage.Write(ctx, doc, doc.Active, doc.Release); err != nil {
		return "", err
	}

	state.Release, state.Sequence, state.InSync = doc.Release, doc.Sequence, true
	if err := d.Ledger.SaveEnvironment(ctx, doc, state); err != nil {
		return "", err
	}

	if err := (preview{d.Ledger, d.Routes, d.Secret}).open(ctx, doc); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is in %s: %s", doc.Release, doc.Active, brought(m)), nil
}

// brought says what a release brings.
func brought(m sm.Manifest) string {
	text := "no new functions"
	if n := len(m.Functions); n > 0 {
		text = fmt.Sprintf("functions: %d", n)
	}

	if m.Site != nil {
		return text + ", a new site"
	}

	return text + ", the site as it was"
}
