package doctor

import (
	"context"
	"fmt"
	"strings"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// EnvironmentDrift is an environment that is not what the ledger says of it.
const EnvironmentDrift sm.FindingKind = "environmentDrift"

type environments struct{ environment.Layers }

func (f environments) find(ctx context.Context, v *view) ([]finding, error) {
	var found []finding

	for _, e := range []sm.Environment{v.roles.Fallback, v.roles.Active} {
		state := v.environments[e]
		if state.Release == "" {
			continue
		}

		var texts []string

		if !state.InSync {
			texts = append(texts, "it was left half written")

			if e == v.roles.Active {
				state = ledger.SyncedState(v.environments[v.roles.Fallback], e)
			}
		}

		differences, err := f.Diff(ctx, e, state)
		if err != nil {
			return nil, err
		}

		for _, d := range differences {
			texts = append(texts, d.Text)
		}

		if len(texts) == 0 {
			continue
		}

		found = append(found, finding{Finding: sm.Finding{
			Kind: EnvironmentDrift, Subject: string(e),
			Text: fmt.Sprintf("%s does not match %s: %s", e, release.OrNothing(state.Release),
				strings.Join(texts, "; ")),
			Repair: "restore " + release.OrNothing(state.Release) + " in it",
		}, repair: func(ctx context.Context, doc sm.Document) error {
			return f.restore(ctx, doc, e, state)
		}})
	}

	return found, nil
}

// restore writes what the ledger says, be it the fallback: the layers write into the active
// environment of their document, so this one's says that it is.
func (f environments) restore(
	ctx context.Context, doc sm.Document, e sm.Environment, state sm.EnvironmentState,
) error {
	doc.Active, doc.Fallback = e, e.Other()

	if err := f.Restore(ctx, doc, state); err != nil {
		return err
	}

	state.InSync = true

	return f.Ledger.SaveEnvironment(ctx, doc, state)
}
