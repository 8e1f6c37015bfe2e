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
	told      bool // the bus knows of its end
	events    []asl.Event
	ctx       context.Context
	stop      context.CancelCauseFunc
	done      chan struct{}
	taken     []Visit // the path, once it has ended: it is asked for often
}

// Start starts an execution and answers its ARN. With the name and the input of one that still
// runs, it answers that one's. Without a name it makes one up; without an input it is {}.
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
			"Invalid State Machine Execution Input: found %d bytes, expected at most %d", len(
				input), asl.MaxPayload))
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

// admit registers a new execution, or finds the one that this call has already started.
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
		e.told = true
		s.mu.Unlock()
	}
}

// call invokes a function. Neither a timeout nor a stop of the execution ends it, but Close does.
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

		_ = json.Unmarshal(output, &e) // one that says nothing has no type

		return nil, &asl.TaskError{Name: e.ErrorType, Cause: string(output)}
	}

	return output, nil
}

// serviceError names an error of Lambda itself, not of the function, as Step Functions does.
func serviceError(err error) error {
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		return &asl.TaskError{Name: "Lambda." + refusal.Code, Cause: fmt.Sprintf(
			"%s (Service: AWSLambda; Status Code: %d; Error Code: %s)", refusal.Message, refusal.Status, refusal.Code)}
	}

	return &asl.TaskError{Name: "Lambda.ServiceException", Cause: err.Error()}
}

// Stop stops an execution and answers when; no Catch of it runs. Stopping one that ended changes
// nothing.
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
