package keyvalue

import "maps"

// State is what a later process needs to continue.
type State struct{ Stores map[string]store }

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save() State {
	state := State{map[string]store{}}

	for arn, st := range s.stores {
		copied := *st
		copied.Values, copied.History = maps.Clone(st.Values), maps.Clone(st.History)
		state.Stores[arn] = copied
	}

	return state
}

// Load takes over the state that an earlier process saved.
func (s *Service) Load(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for arn, st := range state.Stores {
		s.stores[arn] = &st
	}
}
