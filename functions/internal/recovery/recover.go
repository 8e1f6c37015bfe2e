// Package recovery finishes what no event and no step did: what an execution left that ended
// without its Finish, and what the sweep finds by the clock.
package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Recover finishes what an execution left that ended without its Finish: stopped in the console,
// timed out, or failed at run time. It starts another execution that takes the lease over, under a
// name made of the dead one's, so that an event that comes twice starts one. By the clock it looks
// for what no event told it: see sweep.
type Recover struct {
	Ledger     ledger.Ledger
	Settings   sm.Settings
	Executions machine.Executions
	Answers    machine.Answers
	Schedules  timer.Schedules
}

// endings are the states of an execution that may have ended without its Finish.
var endings = []string{"FAILED", "TIMED_OUT", "ABORTED"}

// executionChange is the detail of an event that an execution has changed its state.
// https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
type executionChange struct {
	Execution string `json:"executionArn"`
	Status    string `json:"status"`
	Error     string `json:"error"`
	Input     string `json:"input"`
}

// Run says what was done about an event.
func (r *Recover) Run(ctx context.Context, event machine.Event) (Report, error) {
	deaths := death{r.Ledger, r.Executions, r.Answers, r.Schedules}

	if event.DetailType == sm.DetailScheduled {
		chain := Chain{r.Ledger, r.Settings, r.Executions}

		return sweep{r.Ledger, r.Answers, r.Schedules, chain, deaths}.run(ctx)
	}

	var change executionChange
	if err := json.Unmarshal(event.Detail, &change); err != nil {
		return Report{}, fmt.Errorf("event %s: detail: %w", event.ID, err)
	}

	if !slices.Contains(endings, change.Status) {
		return Report{}, nil
	}

	// The input says whom it was to recover, if it is a recovery that died before it had the lease.
	trigger, _ := release.ParseTrigger(json.RawMessage(change.Input), r.Ledger.App)
	end := machine.Execution{Status: change.Status, Error: change.Error}

	action, err := deaths.handle(ctx, change.Execution, trigger, end)

	return reportOf(action), err
}
