package events

import (
	"fmt"
	"maps"
)

// State is what a later process goes on with: not what is only told, such as dead letters.
type State struct {
	Buses       map[string]map[string]Rule
	Undelivered map[string]undelivered
}

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service.
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

// Load takes over what an earlier process saved. What was not delivered waits for Resume.
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

// Resume goes on with what was not delivered.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for id, u := range s.undelivered {
		s.pending.Go(func() { s.send(id, u) })
	}
}
