// Package machine is the state machine as the steps see it: executions, and the task tokens on
// which they wait.
package machine

import (
	"context"
	"time"
)

// Answers gives waiting executions their answer. Delivered is false where the token was answered
// before, or its execution has ended. The error is Throttled where Step Functions is busy.
type Answers interface {
	Succeed(ctx context.Context, token string, output any) (delivered bool, err error)
	Fail(ctx context.Context, token, name, cause string) (delivered bool, err error)
}

// Executions starts and looks at executions of the machine.
type Executions interface {
	// Start starts one; a name that was used before is no error: it was started then. Throttled.
	Start(ctx context.Context, name string, input any) error
	// Look tells how an execution is doing, the zero Execution for one that does not exist. It lags
	// behind for a moment, so no lock can be built on it. Throttled.
	Look(ctx context.Context, execution string) (Execution, error)
	// ARN is that of the execution with a name.
	ARN(name string) string
}

// Execution is how an execution is doing; the zero value is one that does not exist.
type Execution struct {
	Running bool
	Status  string
	Error   string
}

// Started finds what runs, and stops it.
type Started interface {
	// Running tells since when which executions run. It lags behind for a moment.
	Running(ctx context.Context) (since map[string]time.Time, err error)
	// Stop stops one; of one that has ended it changes nothing.
	Stop(ctx context.Context, execution, cause string) error
}
