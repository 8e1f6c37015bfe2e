// Package environment writes one of the two environments, layer by layer: the aliases of the
// functions, the API stage, the site, and what event sources call. A layer is a type of its own:
// Sync and Deploy write it, Diff says where it differs from what the ledger says of it. The steps
// call the layers in the order that each of them needs.
//
// To add a layer, give it a file with these methods, a field in Layers, and its piece of
// statemachine.EnvironmentState; then call it where the steps and doctor call the others.
package environment

import (
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
	Stage     Stage
	Site      Site
	Events    Events
}

// New makes the layers of an application.
func New(
	l ledger.Ledger, settings sm.Settings, bundles artifact.Reader,
	versions Versions, stages Stages, sites Sites,
) Layers {
	return Layers{
		Ledger: l, Settings: settings, Bundles: bundles,
		Functions: Functions{l, settings, versions},
		Stage:     Stage{l, stages},
		Site:      Site{l, bundles, sites},
		Events:    Events{l, settings, versions},
	}
}
