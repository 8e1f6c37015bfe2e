package step

import (
	"context"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// What the tests, which drive the steps from outside, look at directly.

const (
	ProbeTries  = probeTries
	ClientsLook = clientsLook
)

// Check is the part of Begin that reads the bundle.
func (b *Begin) Check(ctx context.Context, trigger release.Trigger) (sm.Manifest, error) {
	return bundleCheck{b.Settings, b.Bundles, b.Migrations}.run(ctx, trigger)
}

// Next is the step that Ramp would take.
func (r *Ramp) Next(doc sm.Document, record sm.Record) (sm.Document, time.Duration, string, error) {
	next, err := nextStep(r.Settings.Ramp, doc, record)

	return next.doc, next.bake, next.text, err
}
