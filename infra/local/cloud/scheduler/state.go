package scheduler

import (
	"cmp"
	"maps"
	"slices"
)

// State is what a later process goes on with: not what is only told, such as dead letters.
type State struct {
	Groups    map[string]bool
	Schedules []keptSchedule
}

type keptSchedule struct {
	Schedule
	Token string
	Over  bool
}

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service. A schedule that fires is there until its target has taken it.
func (s *Service) Save() State {
	state := State{Groups: maps.Clone(s.groups)}
	for _, e := range s.schedules {
		state.Schedules = append(state.Schedules, keptSchedule{e.Schedule, e.token, e.over})
	}

	slices.SortFunc(state.Schedules, func(a, b keptSchedule) int { return cmp.Compare(a.ARN, b.ARN) })

	return state
}

// Load takes over what an earlier process saved. Nothing fires before Resume.
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

// Resume lets the schedules fire: those that are overdue at once.
func (s *Service) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, e := range s.schedules {
		s.set(e)
	}
}
