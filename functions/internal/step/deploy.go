package step

import (
	"context"
	"fmt"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// Deploy puts the release into active: it prepares all layers, which publishes every function and
// verifies it, before it writes the first one, and then opens the preview to testers. The weight
// is 0 while it runs. Run twice, unchanged code publishes no new version and everything else is
// where it was put. Its errors are DeployFailed, unless they have the name of a lease lost or of
// AWS being busy.
type Deploy struct {
	environment.Layers
	Routes routing.Routes
	// Secret makes the secret of a release's preview, a new one at each call.
	Secret func() string
}

// Run deploys the release and answers with the document as it came.
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

	_, err = d.Ledger.Append(ctx, doc, sm.Event{State: sm.Deploy, Kind: sm.EventDeployed, Text: text})

	return doc, err
}

func (d *Deploy) deploy(ctx context.Context, doc sm.Document) (text string, err error) {
	m, err := artifact.Manifest(ctx, d.Bundles, doc.Release)
	if err != nil {
		return "", err
	}

	state, err := d.Ledger.MarkOutOfSync(ctx, doc)
	if err != nil {
		return "", err
	}

	done, err := d.Layers.Deploy(ctx, doc, m, &state)
	if err != nil {
		return "", err
	}

	state.InSync = true
	if err := d.Ledger.SaveEnvironment(ctx, doc, state); err != nil {
		return "", err
	}

	if err := (preview{d.Ledger, d.Routes, d.Secret}).open(ctx, doc); err != nil {
		return "", err
	}

	return fmt.Sprintf("%s is in %s: %s", doc.Release, doc.Active, done), nil
}
