package asl

import (
	"errors"
	"fmt"
	"slices"
)

// Error names of the Amazon States Language.
const (
	All                    = "States.ALL"
	Timeout                = "States.Timeout"
	HeartbeatTimeout       = "States.HeartbeatTimeout"
	TaskFailed             = "States.TaskFailed"
	Runtime                = "States.Runtime"
	DataLimitExceeded      = "States.DataLimitExceeded"
	NoChoiceMatched        = "States.NoChoiceMatched"
	ResultPathMatchFailure = "States.ResultPathMatchFailure"
	LambdaUnknown          = "Lambda.Unknown"
)

// reserved lists the names with the prefix "States." that Retry and Catch may match.
// States.Runtime is missing: it always fails the execution.
var reserved = []string{
	All, Timeout, HeartbeatTimeout, TaskFailed, DataLimitExceeded, NoChoiceMatched,
	ResultPathMatchFailure, "States.ParameterPathFailure", "States.Permissions",
	"States.BranchFailed", "States.IntrinsicFailure",
}

// TaskError is an error with the name that Retry and Catch match. Cause is free text; for an error
// of a Lambda function, it is the JSON object that Lambda answers: {"errorMessage", "errorType",
// ...}.
type TaskError struct {
	Name  string
	Cause string

	heartbeat bool // whether a States.Timeout is a missed heartbeat
}

func (e *TaskError) Error() string { return e.Name + ": " + e.Cause }

func runtimeError(format string, args ...any) error {
	return &TaskError{Name: Runtime, Cause: fmt.Sprintf(format, args...)}
}

func asTaskError(err error) *TaskError {
	var e *TaskError
	if !errors.As(err, &e) {
		return &TaskError{Name: Runtime, Cause: err.Error()}
	}

	return e
}

// lambdaError is the error under which a failed call is reported.
func lambdaError(err error) *TaskError {
	var e *TaskError
	switch {
	case !errors.As(err, &e):
		return &TaskError{Name: LambdaUnknown, Cause: err.Error()}
	case e.Name == "":
		return &TaskError{Name: LambdaUnknown,
			Cause: "The cause could not be determined because Lambda did not return an error type. " +
				"Returned payload: " + e.Cause}
	}

	return e
}

// matches tells whether an ErrorEquals list matches e. AWS reports a missed heartbeat as
// States.Timeout, and matches it under that name and under States.HeartbeatTimeout.
func (e *TaskError) matches(names []string) bool {
	switch {
	case e.Name == Runtime:
		return false
	case slices.Contains(names, e.Name), e.heartbeat && slices.Contains(names, HeartbeatTimeout):
		return true
	case e.Name == DataLimitExceeded:
		return false
	}

	return slices.Contains(names, All) || e.Name != Timeout && slices.Contains(names, TaskFailed)
}
