// Package environment writes the two environments, layer by layer: the aliases of the functions,
// the site, the API stage; and what event sources call. Sync, Deploy, Rollback and Repair are made
// of the layers' methods.
//
// To add a layer, write a type that is a Layer in a file of its own, make it in New, put it into
// Layers.belowStage, and give statemachine.EnvironmentState a field for what it has to remember.
package environment

import (
	"context"
	"strings"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// Layers are all layers. Each writes into the active environment of the document that it is given,
// under the lease: StopExecution ends no Lambda, which may wake up when active belongs to somebody
// else.
type Layers struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader

	Functions Functions
	Site      Site
	Stage     Stage
	Events    Events
}

// New makes the layers of an application.
func New(l ledger.Ledger, settings sm.Settings, bundles artifact.Reader, versions Versions,
	stages Stages, sites Sites) Layers {
	return Layers{
		Ledger: l, Settings: settings, Bundles: bundles,
		Functions: Functions{l, settings, versions},
		Site:      Site{l, bundles, sites},
		Stage:     Stage{l, stages},
		Events:    Events{l, settings, versions},
	}
}

// belowStage lists the layers but for the stage, in the order in which they are written.
func (l Layers) belowStage() []Layer { return []Layer{l.Functions, l.Site} }

// all lists every layer. The stage is the last, since it turns to what the others have written.
func (l Layers) all() []Layer { return append(l.belowStage(), l.Stage) }

// Deploy puts a release into active and records it in state: it prepares every layer before it
// deploys the first one. It returns what it did in words, and the errors of Layer.
func (l Layers) Deploy(ctx context.Context, doc sm.Document, m sm.Manifest,
	state *sm.EnvironmentState) (done string, err error) {
	for _, layer := range l.all() {
		if err := layer.Prepare(ctx, m, state); err != nil {
			return "", err
		}
	}

	state.Release, state.Sequence = doc.Release, doc.Sequence

	return each(l.all(), func(layer Layer) (string, error) {
		return layer.Deploy(ctx, doc, m, *state)
	})
}

// Sync makes every layer of active the same as fallback's, whose state is want; now is the state
// of active. It returns what it did in words, and the errors of Layer.
func (l Layers) Sync(ctx context.Context, doc sm.Document,
	now, want sm.EnvironmentState) (done string, err error) {
	return each(l.all(), func(layer Layer) (string, error) {
		return layer.Sync(ctx, doc, now, want)
	})
}

// Rollback makes the layers but for the stage the same as fallback's, whose state is want: at once
// what takes few calls, and the rest when it is told to. The stage is called on its own, since it
// is the first to be rolled back and the last to be finished. It returns the errors of Layer.
func (l Layers) Rollback(ctx context.Context, doc sm.Document,
	want sm.EnvironmentState) (Rest, error) {
	layers := l.belowStage()
	rests := make([]Rest, len(layers))

	for i, layer := range layers {
		var err error

		if rests[i], err = layer.Rollback(ctx, doc, want); err != nil {
			return nil, err
		}
	}

	return func(ctx context.Context) (string, error) {
		return each(rests, func(rest Rest) (string, error) { return rest(ctx) })
	}, nil
}

// Restore makes active what its own state says. It returns the errors of Layer.
func (l Layers) Restore(ctx context.Context, doc sm.Document, state sm.EnvironmentState) error {
	for _, layer := range l.all() {
		if err := layer.Restore(ctx, doc, state); err != nil {
			return err
		}
	}

	return nil
}

// Diff compares an environment with its state, layer by layer. It returns the errors of Layer.
func (l Layers) Diff(ctx context.Context, e sm.Environment,
	state sm.EnvironmentState) ([]Difference, error) {
	var found []Difference

	for _, layer := range l.all() {
		differences, err := layer.Diff(ctx, e, state)
		if err != nil {
			return nil, err
		}

		found = append(found, differences...)
	}

	return found, nil
}

// each does something with one after the other, up to the first error, and joins what was done.
func each[T any](list []T, do func(T) (string, error)) (string, error) {
	var done []string

	for _, item := range list {
		text, err := do(item)
		if err != nil {
			return "", err
		}

		if text != "" {
			done = append(done, text)
		}
	}

	return strings.Join(done, ", "), nil
}
