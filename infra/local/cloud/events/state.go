package events

import (
	"fmt"
	"maps"
)

// State is what a later process needs to continue. Dead letters are not part of it.
type State struct {
	Buses       map[string]map[string]Rule
	Undelivered map[string]undelivered
}

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save() State {
	state := State{map[string]map[string]Rule{}, maps.Clone(s.undelivered)}
	for bus, rules := range s.buses {
		state.Buses[bus] = map[string]Rule{}
		for name, rule := range rules {
			state.Buses[bus][name] = *rule
		}
	}

	return state
}

// Load takes over the state that an earlier process saved. Undelivered events wait for Resume.
func (s *Service) Load(state State) error {
	for bus, rules := range state.Buses {
		s.CreateBus(bus)

		for _, rule := range rules {
			if err := s.PutRule(rule); err != nil {
				return fmt.Errorf("bus %s: %w", bus, err)
			}
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.undelivered, state.Undelivered)

	return nil
}

// Resume delivers the events that were not delivered yet.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for id, u := range s.undelivered {
		s.pending.Go(func() { s.send(id, u) })
	}
}
