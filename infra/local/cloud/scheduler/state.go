package scheduler

import (
	"cmp"
	"maps"
	"slices"
)

// State is what a later process needs to continue. Dead letters are not part of it.
type State struct {
	Groups    map[string]bool
	Schedules []savedSchedule
}

type savedSchedule struct {
	Schedule
	Token string
	Over  bool
}

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service. A schedule that fires stays until its
// target has taken the call.
func (s *Service) Save() State {
	state := State{Groups: maps.Clone(s.groups)}
	for _, e := range s.schedules {
		state.Schedules = append(state.Schedules, savedSchedule{e.Schedule, e.token, e.over})
	}

	slices.SortFunc(state.Schedules, func(a, b savedSchedule) int { return cmp.Compare(a.ARN, b.ARN) })

	return state
}

// Load takes over the state that an earlier process saved. Nothing fires before Resume.
func (s *Service) Load(state State) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.groups, state.Groups)

	for _, k := range state.Schedules {
		e := &entry{Schedule: k.Schedule, token: k.Token, over: k.Over}
		if err := e.complete(); err != nil {
			return err
		}

		s.schedules[e.key()] = e
	}

	return nil
}

// Resume starts the timers of all schedules. Overdue schedules fire at once.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, e := range s.schedules {
		s.set(e)
	}
}
