package states

import (
	"fmt"
	"time"

	"lockstep/statemachine/asl"
)

// State is what a later process needs to continue.
type State struct {
	Machines   []savedMachine
	Executions []savedExecution
	Tokens     []asl.Token
}

type savedMachine struct {
	Name, Definition string
	Created          time.Time
}

type savedExecution struct {
	ARN, Name, Machine, Input string
	Started, Stopped          time.Time
	Result                    asl.Result
	Announced                 bool `json:"Told"`
	Events                    []savedEvent
}

type savedEvent struct {
	asl.Event
	At time.Time
}

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save() State {
	state := State{Tokens: s.tokens.Save()}
	for _, m := range s.machines {
		state.Machines = append(state.Machines, savedMachine{m.name, m.definition, m.created})
	}

	for _, e := range s.executions {
		k := savedExecution{
			ARN: e.arn, Name: e.name, Machine: e.machine.arn, Input: e.input,
			Started: e.started, Stopped: e.stopped, Result: e.result, Announced: e.announced,
		}
		for _, event := range e.events {
			k.Events = append(k.Events, savedEvent{event, event.Timestamp})
		}

		state.Executions = append(state.Executions, k)
	}

	return state
}

// Load takes over the state that an earlier process saved. No execution runs before Resume.
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
			arn: k.ARN, name: k.Name, machine: m, input: k.Input,
			started: k.Started, stopped: k.Stopped, result: k.Result, announced: k.Announced,
			done: make(chan struct{}),
		}
		for _, event := range k.Events {
			event.Timestamp = event.At
			e.events = append(e.events, event.Event)
		}

		s.add(e)
	}

	return nil
}

// Resume continues the executions that had not ended, or whose end was not announced yet.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, e := range s.executions {
		if e.announced {
			e.stop(nil)
			close(e.done)

			continue
		}

		s.pending.Add(1)
		go s.run(e)
	}
}
