package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Runner runs the code of versions.
type Runner interface {
	// Run carries out one call within the version's timeout. What the function did wrong is an answer
	// with a functionError, as Invoke reports it; err says that nothing could be run, or that ctx
	// ended first.
	Run(ctx context.Context, v Version, call Call) (payload []byte, functionError string, err error)
	// Close ends whatever still runs.
	Close()
}

// Call is one invocation.
type Call struct {
	RequestID string
	ARN       string // the function as the caller named it
	Payload   []byte
}

// A custom runtime's errors are all reported as unhandled, also those that its handler returned.
const unhandled = "Unhandled"

func failure(errorType, message string) (payload []byte, functionError string) {
	payload, _ = json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	return payload, unhandled
}

func timedOut(call Call, after time.Duration) ([]byte, string) {
	return failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f "+
		"seconds", call.RequestID, after.Seconds()))
}

func exited(call Call, how error) ([]byte, string) {
	reason := "Runtime exited without providing a reason"
	if how != nil {
		reason = "Runtime exited with error: " + how.Error()
	}

	return failure("Runtime.ExitError", "RequestId: "+call.RequestID+" Error: "+reason)
}
