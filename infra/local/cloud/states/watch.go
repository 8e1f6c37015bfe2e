package states

import (
	"slices"
	"time"

	"lockstep/statemachine/asl"
)

// Execution is the state of an execution at one moment.
type Execution struct {
	ARN, Name, StateMachine string
	Status                  asl.Status
	Started, Stopped        time.Time // Stopped is zero while it runs
	Input, Output           string
	Error, Cause            string
	Path                    []Visit
}

// Visit is the time that an execution spent in a state. Left is zero while it is there.
type Visit struct {
	State         string
	Entered, Left time.Time
}

// Executions lists all executions, the newest first.
func (s *Service) Executions() []Execution {
	s.mu.Lock()
	defer s.mu.Unlock()

	list := make([]Execution, 0, len(s.executions))
	for _, e := range slices.Backward(s.executions) {
		list = append(list, Execution{
			ARN: e.arn, Name: e.name, StateMachine: e.machine.arn, Status: e.result.Status,
			Started: e.started, Stopped: e.stopped, Input: e.input, Output: string(e.result.Output),
			Error: e.result.Error, Cause: e.result.Cause, Path: e.path(),
		})
	}

	return list
}

func (e *execution) path() []Visit {
	if e.taken != nil {
		return e.taken
	}

	var path []Visit

	for _, event := range e.events {
		switch {
		case event.StateEntered != nil:
			path = append(path, Visit{State: event.StateEntered.Name, Entered: event.Timestamp})
		case len(path) > 0 && (event.StateExited != nil || event.ID == int64(len(e.events)) &&
			e.result.Status != asl.Running):
			if last := &path[len(path)-1]; last.Left.IsZero() {
				last.Left = event.Timestamp
			}
		}
	}

	if e.result.Status != asl.Running {
		e.taken = path
	}

	return path
}

// History returns the events of an execution so far. It refuses an unknown ARN.
func (s *Service) History(arn string) ([]asl.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	e, err := s.execution(arn)
	if err != nil {
		return nil, err
	}

	return slices.Clone(e.events), nil
}
