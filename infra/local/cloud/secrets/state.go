package secrets

import "maps"

// State is what a later process needs to continue.
type State struct{ Secrets map[string]secret }

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save() State { return State{maps.Clone(s.secrets)} }

// Load takes over the state that an earlier process saved.
func (s *Service) Load(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.secrets, state.Secrets)
}
