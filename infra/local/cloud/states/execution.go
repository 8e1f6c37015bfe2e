package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

type execution struct {
	arn, name string
	machine   *machine
	input     string
	started   time.Time
	stopped   time.Time
	result    asl.Result
	announced bool // an event on the bus has told of its end
	events    []asl.Event
	ctx       context.Context
	stop      context.CancelCauseFunc
	done      chan struct{}
	taken     []Visit // the path, cached once the execution has ended
}

// Start starts an execution and returns its ARN. If an execution of the same name and input still
// runs, it returns the ARN of that one. The default name is random, the default input is {}.
func (s *Service) Start(machineARN, name, input string) (string, error) {
	e, err := s.start(machineARN, name, input)
	if err != nil {
		return "", err
	}

	return e.arn, nil
}

func (s *Service) start(machineARN, name, input string) (*execution, error) {
	if name == "" {
		name = uuid.NewString()
	}

	if input == "" {
		input = "{}"
	}

	if err := checkName(name); err != nil {
		return nil, err
	}

	if len(input) > asl.MaxPayload {
		return nil, wire.Refuse("InvalidExecutionInput", fmt.Sprintf(
			"Invalid State Machine Execution Input: found %d bytes, expected at most %d",
			len(input), asl.MaxPayload))
	}

	var value any
	if err := json.Unmarshal([]byte(input), &value); err != nil {
		return nil, wire.Refuse("InvalidExecutionInput",
			fmt.Sprintf("Invalid State Machine Execution Input: '%v'", err))
	}

	e, fresh, err := s.admit(machineARN, name, input)
	if err != nil || !fresh {
		return e, err
	}

	s.announce(e)
	go s.run(e)

	return e, nil
}

// admit registers a new execution, or finds the one that an equal call has started.
func (s *Service) admit(machineARN, name, input string) (e *execution, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	m, err := s.machine(machineARN)
	if err != nil {
		return nil, false, err
	}

	arn := wire.ARN("states", "execution:"+m.name+":"+name)
	if e, err := s.execution(arn); err == nil {
		if e.result.Status != asl.Running || e.input != input {
			return nil, false, wire.Refuse("ExecutionAlreadyExists",
				fmt.Sprintf("Execution Already Exists: '%s'", arn))
		}

		return e, false, nil
	}

	if s.closed {
		return nil, false, fmt.Errorf("start %s: Step Functions is shutting down", arn)
	}

	e = &execution{
		arn: arn, name: name, machine: m, input: input, started: time.Now(),
		result: asl.Result{Status: asl.Running}, done: make(chan struct{}),
	}
	s.add(e)
	s.pending.Add(1)

	return e, true, nil
}

// add registers an execution; the caller holds the lock.
func (s *Service) add(e *execution) {
	e.ctx, e.stop = context.WithCancelCause(s.ctx)
	s.executions = append(s.executions, e)
}

func (s *Service) run(e *execution) {
	defer s.pending.Done()
	defer close(e.done)
	defer e.stop(nil)

	result := e.machine.parsed.Run(e.ctx, asl.Execution{
		ID: e.arn, Name: e.name, Input: json.RawMessage(e.input), StartTime: e.started,
		StateMachine: asl.StateMachine{ID: e.machine.arn, Name: e.machine.name},
		Invoke:       s.call,
		Tokens:       &s.tokens,
		Past:         slices.Clip(e.events),
		Record: func(event asl.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()

			e.events = append(e.events, event)
		},
	})
	s.mu.Lock()

	e.result = result
	if e.stopped.IsZero() {
		e.stopped = time.Now()
	}
	s.mu.Unlock()

	if s.ctx.Err() == nil {
		s.announce(e)
		s.mu.Lock()
		e.announced = true
		s.mu.Unlock()
	}
}

// call invokes a function. Close ends the call; a timeout or a stop of the execution does not.
func (s *Service) call(ctx context.Context, function string,
	payload json.RawMessage) (json.RawMessage, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, s.ctx.Err()
	}

	s.pending.Add(1)

	s.mu.Unlock()
	defer s.pending.Done()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()

	output, functionError, err := s.invoke(ctx, function, payload)
	if err != nil {
		return nil, serviceError(err)
	}

	if functionError != "" {
		var e struct {
			ErrorType string `json:"errorType"`
		}

		_ = json.Unmarshal(output, &e) // an error that is not JSON has no type

		return nil, &asl.TaskError{Name: e.ErrorType, Cause: string(output)}
	}

	return output, nil
}

// serviceError names an error of Lambda itself, not of the function, as Step Functions does.
func serviceError(err error) error {
	if refusal, ok := errors.AsType[*wire.Error](err); ok {
		cause := fmt.Sprintf("%s (Service: AWSLambda; Status Code: %d; Error Code: %s)",
			refusal.Message, refusal.Status, refusal.Code)

		return &asl.TaskError{Name: "Lambda." + refusal.Code, Cause: cause}
	}

	return &asl.TaskError{Name: "Lambda.ServiceException", Cause: err.Error()}
}

// Stop stops an execution and returns when it stopped. No Catch of it runs. Stopping an execution
// that has ended changes nothing.
func (s *Service) Stop(arn, name, cause string) (time.Time, error) {
	s.mu.Lock()
	e, err := s.execution(arn)
	s.mu.Unlock()

	if err != nil {
		return time.Time{}, err
	}

	e.stop(&asl.Stopped{Name: name, Cause: cause})
	<-e.done

	return e.stopped, nil
}
