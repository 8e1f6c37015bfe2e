package ssm

import "maps"

// State is what a later process goes on with.
type State struct{ Parameters map[string]parameter }

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service.
func (s *Service) Save() State { return State{maps.Clone(s.parameters)} }

// Load takes over what an earlier process saved.
func (s *Service) Load(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.parameters, state.Parameters)
}
