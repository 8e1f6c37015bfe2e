package states

import "lockstep/statemachine/asl"

// StatusChange is the detail of the event that Step Functions puts on the default bus when the
// status of an execution changes. Times are in milliseconds since 1970.
type StatusChange struct {
	ExecutionARN    string     `json:"executionArn"`
	StateMachineARN string     `json:"stateMachineArn"`
	Name            string     `json:"name"`
	Status          asl.Status `json:"status"`
	StartDate       int64      `json:"startDate"`
	StopDate        *int64     `json:"stopDate"`
	Input           string     `json:"input"`
	InputDetails    *Included  `json:"inputDetails"`
	Output          *string    `json:"output"`
	OutputDetails   *Included  `json:"outputDetails"`
	Error           *string    `json:"error"`
	Cause           *string    `json:"cause"`

	StateMachineVersionARN *string `json:"stateMachineVersionArn"`
	StateMachineAliasARN   *string `json:"stateMachineAliasArn"`
	RedriveCount           int     `json:"redriveCount"`
	RedriveDate            *int64  `json:"redriveDate"`
}

// Included says that the data beside it is complete.
type Included struct {
	Included bool `json:"included"`
}

// announce puts the status of an execution on the bus.
func (s *Service) announce(e *execution) {
	s.mu.Lock()

	change := StatusChange{
		ExecutionARN: e.arn, StateMachineARN: e.machine.arn, Name: e.name, Status: e.result.Status,
		StartDate: e.started.UnixMilli(), Input: e.input, InputDetails: &Included{true},
		Error: optional(e.result.Error), Cause: optional(e.result.Cause),
		Output: optional(string(e.result.Output)),
	}
	if change.Output != nil {
		change.OutputDetails = &Included{true}
	}

	if !e.stopped.IsZero() {
		stopped := e.stopped.UnixMilli()
		change.StopDate = &stopped
	}
	s.mu.Unlock()
	s.emit("aws.states", "Step Functions Execution Status Change", []string{e.arn}, change)
}

func optional(text string) *string {
	if text == "" {
		return nil
	}

	return &text
}
