package apigateway

import "maps"

// State is what a later process needs to continue.
type State struct{ APIs map[string]map[string]Stage }

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save() State {
	state := State{map[string]map[string]Stage{}}
	for api, stages := range s.apis {
		state.APIs[api] = maps.Clone(stages)
	}

	return state
}

// Load takes over the state that an earlier process saved.
func (s *Service) Load(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.apis, state.APIs)
}
