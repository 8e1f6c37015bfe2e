package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Runner runs the code of versions.
type Runner interface {
	// Run carries out one call within the version's timeout. A failure of the function is an answer
	// with a functionError, as Invoke reports it. err means that the function could not be run, or
	// that ctx ended first.
	Run(ctx context.Context, v Version, call Call) (payload []byte, functionError string, err error)
	// Close ends the calls that still run.
	Close()
}

// Call is one invocation.
type Call struct {
	RequestID string
	ARN       string // the function, with the qualifier of the caller
	Payload   []byte
}

// unhandled is the error of custom runtimes: AWS reports it even for errors that a handler
// returned.
const unhandled = "Unhandled"

func failure(errorType, message string) (payload []byte, functionError string) {
	payload, _ = json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	return payload, unhandled
}

func timedOut(call Call, after time.Duration) ([]byte, string) {
	return failure("Sandbox.Timedout", fmt.Sprintf(
		"RequestId: %s Error: Task timed out after %.2f seconds", call.RequestID, after.Seconds()))
}

func exited(call Call, how error) ([]byte, string) {
	reason := "Runtime exited without providing a reason"
	if how != nil {
		reason = "Runtime exited with error: " + how.Error()
	}

	return failure("Runtime.ExitError", "RequestId: "+call.RequestID+" Error: "+reason)
}
