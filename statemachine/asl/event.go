package asl

import (
	"encoding/json"
	"time"
)

// Event is one entry of an execution's history. Its JSON has the field names of
// GetExecutionHistory, but for the timestamp, which every protocol writes in its own way.
type Event struct {
	ID              int64     `json:"id"`
	PreviousEventID int64     `json:"previousEventId"`
	Timestamp       time.Time `json:"-"`
	Type            string    `json:"type"`

	ExecutionStarted   *ExecutionStarted `json:"executionStartedEventDetails,omitempty"`
	ExecutionSucceeded *Output           `json:"executionSucceededEventDetails,omitempty"`
	ExecutionFailed    *Failure          `json:"executionFailedEventDetails,omitempty"`
	ExecutionAborted   *Failure          `json:"executionAbortedEventDetails,omitempty"`
	ExecutionTimedOut  *Failure          `json:"executionTimedOutEventDetails,omitempty"`
	StateEntered       *StateEntered     `json:"stateEnteredEventDetails,omitempty"`
	StateExited        *StateExited      `json:"stateExitedEventDetails,omitempty"`
	TaskScheduled      *TaskScheduled    `json:"taskScheduledEventDetails,omitempty"`
	TaskStarted        *TaskResource     `json:"taskStartedEventDetails,omitempty"`
	TaskSubmitted      *TaskOutput       `json:"taskSubmittedEventDetails,omitempty"`
	TaskSucceeded      *TaskOutput       `json:"taskSucceededEventDetails,omitempty"`
	TaskFailed         *TaskFailure      `json:"taskFailedEventDetails,omitempty"`
	TaskTimedOut       *TaskFailure      `json:"taskTimedOutEventDetails,omitempty"`
}

// DataDetails says that the data beside it is whole; this history never truncates.
type DataDetails struct {
	Truncated bool `json:"truncated"`
}

type ExecutionStarted struct {
	Input        string       `json:"input,omitempty"`
	InputDetails *DataDetails `json:"inputDetails,omitempty"`
}

type Output struct {
	Output        string       `json:"output,omitempty"`
	OutputDetails *DataDetails `json:"outputDetails,omitempty"`
}

func output(data json.RawMessage) Output {
	return Output{Output: string(data), OutputDetails: &DataDetails{}}
}

type Failure struct {
	Error string `json:"error,omitempty"`
	Cause string `json:"cause,omitempty"`
}

type StateEntered struct {
	Name         string       `json:"name"`
	Input        string       `json:"input,omitempty"`
	InputDetails *DataDetails `json:"inputDetails,omitempty"`
}

type StateExited struct {
	Name string `json:"name"`
	Output
}

// TaskResource names the integration: lambda, invoke or invoke.waitForTaskToken.
type TaskResource struct {
	ResourceType string `json:"resourceType"`
	Resource     string `json:"resource"`
}

type TaskScheduled struct {
	TaskResource
	Region             string `json:"region"`
	Parameters         string `json:"parameters"`
	TimeoutInSeconds   int64  `json:"timeoutInSeconds,omitempty"`
	HeartbeatInSeconds int64  `json:"heartbeatInSeconds,omitempty"`
}

type TaskOutput struct {
	TaskResource
	Output
}

type TaskFailure struct {
	TaskResource
	Failure
}

// result is how an execution ended, if it did so with this event.
func (e Event) result() (Result, bool) {
	switch {
	case e.ExecutionSucceeded != nil:
		return Result{Status: Succeeded, Output: json.RawMessage(e.ExecutionSucceeded.Output)}, true
	case e.ExecutionFailed != nil:
		return Result{Status: Failed, Error: e.ExecutionFailed.Error,
			Cause: e.ExecutionFailed.Cause}, true
	case e.ExecutionAborted != nil:
		return Result{Status: Aborted, Error: e.ExecutionAborted.Error,
			Cause: e.ExecutionAborted.Cause}, true
	case e.ExecutionTimedOut != nil:
		return Result{Status: TimedOut}, true
	}

	return Result{}, false
}

// WithoutData is the event as GetExecutionHistory answers it when data was not asked for.
func (e Event) WithoutData() Event {
	if e.ExecutionStarted != nil {
		e.ExecutionStarted = &ExecutionStarted{}
	}

	if e.ExecutionSucceeded != nil {
		e.ExecutionSucceeded = &Output{}
	}

	if e.StateEntered != nil {
		e.StateEntered = &StateEntered{Name: e.StateEntered.Name}
	}

	if e.StateExited != nil {
		e.StateExited = &StateExited{Name: e.StateExited.Name}
	}

	if e.TaskSubmitted != nil {
		e.TaskSubmitted = &TaskOutput{TaskResource: e.TaskSubmitted.TaskResource}
	}

	if e.TaskSucceeded != nil {
		e.TaskSucceeded = &TaskOutput{TaskResource: e.TaskSucceeded.TaskResource}
	}

	return e
}
