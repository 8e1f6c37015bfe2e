package keyvalue

import "maps"

// State is what a later process goes on with.
type State struct{ Stores map[string]store }

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service.
func (s *Service) Save() State {
	state := State{map[string]store{}}

	for arn, st := range s.stores {
		copied := *st
		copied.Values, copied.History = maps.Clone(st.Values), maps.Clone(st.History)
		state.Stores[arn] = copied
	}

	return state
}

// Load takes over what an earlier process saved.
func (s *Service) Load(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for arn, st := range state.Stores {
		s.stores[arn] = &st
	}
}
