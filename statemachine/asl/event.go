package asl

import (
	"encoding/json"
	"time"
)

// Event is one entry of an execution's history. Its JSON has the field names of
// GetExecutionHistory, without the timestamp, which every protocol writes in its own way.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
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

// DataDetails says whether the data beside it is truncated. In this history it never is.
type DataDetails struct {
	Truncated bool `json:"truncated"`
}

// ExecutionStarted has the details of the first event.
type ExecutionStarted struct {
	Input        string       `json:"input,omitempty"`
	InputDetails *DataDetails `json:"inputDetails,omitempty"`
}

// Output is the JSON that a state, a task or the execution ended with.
type Output struct {
	Output        string       `json:"output,omitempty"`
	OutputDetails *DataDetails `json:"outputDetails,omitempty"`
}

func output(data json.RawMessage) Output {
	return Output{Output: string(data), OutputDetails: &DataDetails{}}
}

// Failure is the error name and the cause that a task or the execution ended with.
type Failure struct {
	Error string `json:"error,omitempty"`
	Cause string `json:"cause,omitempty"`
}

// StateEntered has a state's name and input.
type StateEntered struct {
	Name         string       `json:"name"`
	Input        string       `json:"input,omitempty"`
	InputDetails *DataDetails `json:"inputDetails,omitempty"`
}

// StateExited has a state's name and output.
type StateExited struct {
	Name string `json:"name"`
	Output
}

// TaskResource names the integration: lambda, invoke or invoke.waitForTaskToken.
type TaskResource struct {
	ResourceType string `json:"resourceType"`
	Resource     string `json:"resource"`
}

// TaskScheduled has what a task is called with. Parameters is JSON; a timeout of 0 is none.
type TaskScheduled struct {
	TaskResource
	Region             string `json:"region"`
	Parameters         string `json:"parameters"`
	TimeoutInSeconds   int64  `json:"timeoutInSeconds,omitempty"`
	HeartbeatInSeconds int64  `json:"heartbeatInSeconds,omitempty"`
}

// TaskOutput is what a task ended with, or what the function of a waiting task answered.
type TaskOutput struct {
	TaskResource
	Output
}

// TaskFailure is the error that a task ended with.
type TaskFailure struct {
	TaskResource
	Failure
}

// result is how the execution ended; false if this event does not end it.
func (e Event) result() (Result, bool) {
	switch {
	case e.ExecutionSucceeded != nil:
		return Result{Status: Succeeded, Output: json.RawMessage(e.ExecutionSucceeded.Output)}, true
	case e.ExecutionFailed != nil:
		f := e.ExecutionFailed
		return Result{Status: Failed, Error: f.Error, Cause: f.Cause}, true
	case e.ExecutionAborted != nil:
		f := e.ExecutionAborted
		return Result{Status: Aborted, Error: f.Error, Cause: f.Cause}, true
	case e.ExecutionTimedOut != nil:
		return Result{Status: TimedOut}, true
	}

	return Result{}, false
}

// WithoutData is the event as GetExecutionHistory answers it with includeExecutionData false.
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
