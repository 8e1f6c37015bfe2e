package functions_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// fault is a call that AWS refuses while the machine is in a state.
type fault struct {
	state     sm.Task
	operation string
	path      string // a part of it
}

// refuses makes AWS refuse a call, as for want of a permission, whenever the machine is in the
// state.
func (w *world) refuses(state sm.Task, operation, path string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.faults = append(w.faults, fault{state, operation, path})
}

func (w *world) refusal(r *http.Request, call cloud.Call) error {
	w.mu.Lock()
	faults := w.faults
	w.mu.Unlock()

	for _, f := range faults {
		if f.operation == call.Operation && strings.Contains(r.URL.Path, f.path) &&
			w.isIn(string(f.state)) {
			return &wire.Error{Status: http.StatusForbidden, Code: "AccessDeniedException",
				Message: "not allowed, says the story"}
		}
	}

	return nil
}

// isIn tells whether an execution is in the state now.
func (w *world) isIn(state string) bool {
	for _, e := range w.stack.Cloud.States.Executions() {
		if n := len(e.Path); e.Status == asl.Running && n > 0 && e.Path[n-1].State == state {
			return true
		}
	}

	return false
}

// alarm sets the alarm of an environment, as the console does; the next evaluation, within a
// minute, sets it by the metrics again.
func (w *world) alarm(e sm.Environment, state types.StateValue) {
	w.t.Helper()

	name, reason := app+"-"+string(e)+"-api-5xx", "says the story"
	if _, err := cloudwatch.NewFromConfig(w.config).SetAlarmState(w.t.Context(),
		&cloudwatch.SetAlarmStateInput{
			AlarmName: &name, StateValue: state, StateReason: &reason,
		}); err != nil {
		w.t.Error(err)
	}
}

// stop stops the running execution of a release, as the console does: no Catch runs.
func (w *world) stop(release string) {
	w.t.Helper()

	for _, e := range w.executions(release) {
		if e.Status == asl.Running {
			go func() { _, _ = w.stack.Cloud.States.Stop(e.ARN, "Stopped", "says the story") }()
			return
		}
	}

	w.t.Errorf("no execution of %s runs", release)
}

// doom kills an invocation at its n-th call: before it is made, or when it has taken effect. Calls
// that only read count where told so.
type doom struct {
	manner
	left   atomic.Int64
	dead   atomic.Bool
	cancel context.CancelFunc
	at     string // the call
}

type manner struct {
	before, reads bool
	of            string // only calls of this operation count; all where it is ""
}

type doomKey struct{}

// dies kills a Lambda at its n-th write, once.
func (w *world) dies(task sm.Task, n int64, how manner) *doom {
	d := &doom{manner: how}
	d.left.Store(n)
	w.mu.Lock()
	defer w.mu.Unlock()

	w.dooms[task] = func() *doom {
		if d.dead.Load() {
			return nil
		}

		return d
	}

	return d
}

// strikes counts a call, and tells whether it was the last.
func (d *doom) strikes(operation string) bool {
	if d == nil || !d.reads && !isWrite(operation) || d.of != "" && d.of != operation ||
		d.left.Add(-1) != 0 {
		return false
	}

	d.at = operation
	d.dead.Store(true)
	d.cancel()

	return true
}

// rings is what Scheduler does when a schedule's time has come: it says so to Step Functions.
func (w *world) rings(input string) {
	var in struct{ TaskToken, Output string }
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		w.t.Fatal(err)
	}

	if err := w.stack.Cloud.States.SendTaskSuccess(in.TaskToken, in.Output); err == nil {
		w.t.Error("a token was good twice")
	}
}

// stalls lets a step stand still so long before its next call of an operation, on a path with
// this part; what it would not wait for so long it does not make any more.
func (w *world) stalls(task sm.Task, operation, path string, d time.Duration) {
	var lingered atomic.Bool // a mutex would hold the clock

	w.stack.Cloud.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			meant := cloud.CallOf(r.Context()).Operation == operation &&
				strings.Contains(r.URL.Path, path) && w.isIn(string(task))
			if meant && !lingered.Swap(true) {
				time.Sleep(d)

				if r.Context().Err() != nil {
					return
				}
			}

			next.ServeHTTP(rw, r)
		})
	})
}
