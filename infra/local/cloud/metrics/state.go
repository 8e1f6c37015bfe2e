package metrics

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// State is what a later process goes on with.
type State struct {
	Series map[string]*series
	Alarms []types.MetricAlarm
}

// Save writes what is known down at once: it is too much to be copied, and grows with every call of a viewer.
func (s *Service) Save() (json.RawMessage, error) {
	alarms := s.Alarms()
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(State{s.series, alarms})
}

// Load takes over what an earlier process saved; its alarms are evaluated from here on.
func (s *Service) Load(saved json.RawMessage) error {
	var state State
	if err := json.Unmarshal(saved, &state); err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.series, state.Series)
	for _, described := range state.Alarms {
		a, err := watching(described)
		if err != nil {
			return fmt.Errorf("alarm %s: %w", *described.AlarmName, err)
		}
		s.alarms[*a.AlarmName] = a
		s.schedule(a)
	}
	return nil
}
