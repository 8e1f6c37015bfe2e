package states

import (
	"fmt"
	"time"

	"lockstep/statemachine/asl"
)

// State is what a later process goes on with.
type State struct {
	Machines   []keptMachine
	Executions []keptExecution
	Tokens     []asl.Token
}

type keptMachine struct {
	Name, Definition string
	Created          time.Time
}

type keptExecution struct {
	ARN, Name, Machine, Input string
	Started, Stopped          time.Time
	Result                    asl.Result
	Told                      bool
	Events                    []keptEvent
}

type keptEvent struct {
	asl.Event
	At time.Time
}

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service.
func (s *Service) Save() State {
	state := State{Tokens: s.tokens.Save()}
	for _, m := range s.machines {
		state.Machines = append(state.Machines, keptMachine{m.name, m.definition, m.created})
	}

	for _, e := range s.executions {
		k := keptExecution{e.arn, e.name, e.machine.arn, e.input, e.started, e.stopped, e.result, e.told,
			nil}
		for _, event := range e.events {
			k.Events = append(k.Events, keptEvent{event, event.Timestamp})
		}

		state.Executions = append(state.Executions, k)
	}

	return state
}

// Load takes over what an earlier process saved. No execution goes on before Resume.
func (s *Service) Load(state State) error {
	s.tokens.Load(state.Tokens)

	for _, k := range state.Machines {
		if _, err := s.Create(k.Name, k.Definition); err != nil {
			return fmt.Errorf("state machine %s: %w", k.Name, err)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	for i, k := range state.Machines {
		s.machines[i].created = k.Created
	}

	for _, k := range state.Executions {
		m, err := s.machine(k.Machine)
		if err != nil {
			return fmt.Errorf("execution %s: %w", k.Name, err)
		}

		e := &execution{
			arn: k.ARN, name: k.Name, machine: m, input: k.Input, started: k.Started, stopped: k.Stopped,
			result: k.Result, told: k.Told, done: make(chan struct{}),
		}
		for _, event := range k.Events {
			event.Timestamp = event.At
			e.events = append(e.events, event.Event)
		}

		s.add(e)
	}

	return nil
}

// Resume lets the executions go on that had not ended, or of whose end nobody was told.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, e := range s.executions {
		if e.told {
			e.stop(nil)
			close(e.done)

			continue
		}

		s.pending.Add(1)
		go s.run(e)
	}
}
