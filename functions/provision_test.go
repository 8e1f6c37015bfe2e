package functions_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"

	"lockstep/functions/internal/aws/stage"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// What the custom resource writes into a new stage, the adapter reads as the stage's own alias and
// no release.
func TestProvision_NewStage(t *testing.T) {
	story(t, func(w *world) {
		stages := stage.New(apigateway.NewFromConfig(w.config), stack.API)
		for _, e := range sm.Environments() {
			alias, release, err := stages.Get(w.t.Context(), e)
			if alias != e || release != "" || err != nil {
				w.t.Errorf("stage %s: found alias %q, release %q, %v; expected %q and none", e.Stage(), alias,
					release, err, e)
			}
		}
	})
}
