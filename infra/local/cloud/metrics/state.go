package metrics

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// The state is saved every second, so its size is bounded: it has ten minutes of seconds and half
// an hour of minutes.
const (
	savedSeconds = 10 * 60
	savedMinutes = 30 * 60
)

// State is what a later process needs to continue.
type State struct {
	Series map[string]series
	Alarms []types.MetricAlarm
}

// Save encodes the state while it holds the lock: it is too large to be copied first.
func (s *Service) Save() ([]byte, error) {
	state, now := State{map[string]series{}, s.Alarms()}, time.Now().Unix()
	s.mu.Lock()
	defer s.mu.Unlock()

	for key, one := range s.series {
		state.Series[key] = one.thinned(now)
	}

	return json.Marshal(state)
}

func (s *series) thinned(now int64) series {
	thin := series{Unit: s.Unit}
	for _, buckets := range [][]bucket{s.Minutes, s.Seconds} {
		for _, b := range buckets {
			switch {
			case b.Start < now-savedMinutes:
			case b.Start < now-savedSeconds:
				place(&thin.Minutes, b.Start-b.Start%60).merge(b)
			default:
				thin.Seconds = append(thin.Seconds, b)
			}
		}
	}

	return thin
}

// Load takes over what an earlier process saved; its alarms are evaluated from then on.
func (s *Service) Load(saved []byte) error {
	var state State
	if err := json.Unmarshal(saved, &state); err != nil {
		return fmt.Errorf("parse the saved metrics: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	for key, one := range state.Series {
		s.series[key] = &one
	}

	for _, described := range state.Alarms {
		a, err := compileAlarm(described)
		if err != nil {
			return fmt.Errorf("alarm %s: %w", *described.AlarmName, err)
		}

		s.alarms[*a.AlarmName] = a
		s.schedule(a)
	}

	return nil
}
