// Package asl interprets the Amazon States Language. With it, the definition of a release that AWS
// Step Functions runs in the cloud also runs on one machine and in tests.
//
// It knows the states and fields that the definition uses, and behaves there as AWS does. Parse
// refuses everything else. It waits with package time, so a month passes in no time under
// testing/synctest.
//
// The language: https://states-language.net/spec.html, and as AWS runs it:
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Limits of AWS Step Functions.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
const (
	MaxPayload = 262_144 // bytes of an input, a result or an output
	MaxEvents  = 25_000  // in the history of an execution
	maxRun     = 365 * 24 * time.Hour
)

// Machine is a definition that Parse has accepted. It may run any number of executions at a time.
type Machine struct {
	startAt string
	states  map[string]state
	timeout time.Duration
}

// Execution is one run of a machine.
type Execution struct {
	ID           string // its ARN
	Name         string
	Input        json.RawMessage // one JSON value
	StartTime    time.Time       // for the context object
	StateMachine StateMachine

	// Invoke calls a Lambda function, by name or ARN. Its context outlives timeouts and the end of the
	// execution, as a Lambda does. A *TaskError is reported under its name, any other error as
	// Lambda.Unknown.
	Invoke func(ctx context.Context, function string, payload json.RawMessage) (json.RawMessage, error)
	// Tokens answers .waitForTaskToken tasks.
	Tokens *Tokens
	// Record, if set, receives each event of the history as it happens.
	Record func(Event)
	// Past is the history of an earlier process that ended in the middle of the run. The run
	// continues from there: see past.go.
	Past []Event
}

// StateMachine is the machine's ARN and name, for the context object.
type StateMachine struct{ ID, Name string }

// Status of an execution, as AWS spells it.
type Status string

const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// Result is how an execution ended. Output is set only if it succeeded.
type Result struct {
	Status Status
	Output json.RawMessage `json:",omitempty"`
	Error  string
	Cause  string
}

// Stopped is the cause with which to cancel Run's context, to do what StopExecution does. Any other
// cause aborts the execution too, without an error name.
type Stopped struct{ Name, Cause string }

func (s *Stopped) Error() string { return fmt.Sprintf("stopped: %s: %s", s.Name, s.Cause) }

var errRanTooLong = errors.New("the execution ran longer than its TimeoutSeconds")

// Run runs an execution to its end. When ctx is cancelled, it stops at once: no Catch runs.
func (m *Machine) Run(ctx context.Context, e Execution) Result {
	began := time.Now()

	if n := len(e.Past); n > 0 {
		if result, ended := e.Past[n-1].result(); ended {
			return result
		}

		began = e.Past[0].Timestamp
	}

	limit := maxRun
	if m.timeout > 0 {
		limit = min(limit, m.timeout)
	}

	ctx, release := context.WithDeadlineCause(ctx, began.Add(limit), errRanTooLong)
	defer release()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	r := &run{Execution: e, stop: stop, past: e.Past}
	r.record(Event{Type: "ExecutionStarted", ExecutionStarted: &ExecutionStarted{
		Input: string(e.Input), InputDetails: &DataDetails{},
	}})

	data, err := decode(e.Input)
	if err != nil {
		return r.failed(&TaskError{Name: Runtime, Cause: "the input is not JSON: " + err.Error()})
	}

	for name := m.startAt; ; {
		result, next, err := m.states[name].run(ctx, r, data)
		if cause := context.Cause(ctx); cause != nil {
			return r.interrupted(cause)
		}

		if err != nil {
			return r.failed(asTaskError(err))
		}

		if next == "" {
			return r.succeeded(encode(result))
		}

		name, data = next, result
	}
}

func (r *run) succeeded(data json.RawMessage) Result {
	details := output(data)
	r.final(Event{Type: "ExecutionSucceeded", ExecutionSucceeded: &details})

	return Result{Status: Succeeded, Output: data}
}

func (r *run) failed(e *TaskError) Result {
	r.final(Event{Type: "ExecutionFailed", ExecutionFailed: &Failure{Error: e.Name, Cause: e.Cause}})
	return Result{Status: Failed, Error: e.Name, Cause: e.Cause}
}

func (r *run) interrupted(cause error) Result {
	var (
		stopped *Stopped
		failure *TaskError
	)
	switch {
	case errors.As(cause, &failure):
		return r.failed(failure)
	case errors.Is(cause, errRanTooLong):
		r.final(Event{Type: "ExecutionTimedOut", ExecutionTimedOut: &Failure{}})
		return Result{Status: TimedOut}
	case !errors.As(cause, &stopped):
		stopped = &Stopped{Cause: cause.Error()}
	}

	r.final(Event{Type: "ExecutionAborted", ExecutionAborted: &Failure{Error: stopped.Name,
		Cause: stopped.Cause}})

	return Result{Status: Aborted, Error: stopped.Name, Cause: stopped.Cause}
}
