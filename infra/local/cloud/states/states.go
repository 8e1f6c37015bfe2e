// Package states stands in for AWS Step Functions. It implements the API over statemachine/asl, the
// interpreter that runs the definition of a release.
package states

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

// Service is the Step Functions of one account and region.
type Service struct {
	invoke func(ctx context.Context, function string, payload []byte) ([]byte, string, error)
	emit   func(source, detailType string, resources []string, detail any)
	tokens asl.Tokens

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	pending sync.WaitGroup // executions and calls

	mu         sync.Mutex
	closed     bool
	machines   []*machine
	executions []*execution // in the order they were started
}

type machine struct {
	arn, name  string
	definition string
	created    time.Time
	parsed     *asl.Machine
}

// New makes a service without state machines. invoke calls a Lambda function as
// lambda.Service.Invoke does; emit puts an event on the default bus.
func New(
	invoke func(ctx context.Context, function string, payload []byte) ([]byte, string, error),
	emit func(source, detailType string, resources []string, detail any),
) *Service {
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{invoke: invoke, emit: emit, ctx: ctx, cancel: cancel}
}

// Create makes a state machine and returns its ARN. Creating the same machine again changes
// nothing.
func (s *Service) Create(name, definition string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}

	parsed, err := asl.Parse(definition)
	if err != nil {
		return "", wire.Refuse("InvalidDefinition",
			fmt.Sprintf("Invalid State Machine Definition: '%v'", err))
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	arn := wire.ARN("states", "stateMachine:"+name)
	if m, err := s.machine(arn); err == nil {
		if m.definition != definition {
			return "", wire.Refuse("StateMachineAlreadyExists",
				fmt.Sprintf("State Machine Already Exists: '%s'", arn))
		}

		return arn, nil
	}

	s.machines = append(s.machines, &machine{arn, name, definition, time.Now(), parsed})

	return arn, nil
}

// Close stops all executions without announcing it, and waits until they and their calls have
// ended.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.pending.Wait()
}

// machine finds a state machine; the caller holds the lock.
func (s *Service) machine(arn string) (*machine, error) {
	if err := checkARN(arn); err != nil {
		return nil, err
	}

	i := slices.IndexFunc(s.machines, func(m *machine) bool { return m.arn == arn })
	if i < 0 {
		return nil, wire.Refuse("StateMachineDoesNotExist",
			fmt.Sprintf("State Machine Does Not Exist: '%s'", arn))
	}

	return s.machines[i], nil
}

// execution finds an execution; the caller holds the lock.
func (s *Service) execution(arn string) (*execution, error) {
	if err := checkARN(arn); err != nil {
		return nil, err
	}

	i := slices.IndexFunc(s.executions, func(e *execution) bool { return e.arn == arn })
	if i < 0 {
		return nil, wire.Refuse("ExecutionDoesNotExist",
			fmt.Sprintf("Execution Does Not Exist: '%s'", arn))
	}

	return s.executions[i], nil
}
