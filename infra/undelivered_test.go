package infra

import (
	"slices"
	"testing"
)

// TestUndelivered: whatever lies in a queue of events that nobody took rings an alarm, the alarm
// is mailed, and the two functions that events call leave there what they fail at.
func TestUndelivered(t *testing.T) {
	for name, synthesized := range apps {
		var queues, watched []string

		leave := 0

		for _, template := range synthesized(t).templates {
			for id, r := range template.Resources {
				switch r.Type {
				case "AWS::SQS::Queue":
					queues = append(queues, resolve(r.Properties["QueueName"]))
				case "AWS::Lambda::Function":
					if letters, ok := r.Properties["DeadLetterConfig"].(map[string]any); ok &&
						resolve(letters["TargetArn"]) == "LockstepFailed.Arn" {
						leave++
					}
				case "AWS::CloudWatch::Alarm":
					if plain(id) != "LockstepUndeliveredAlarm" {
						continue
					}

					if actions := texts(r.Properties["AlarmActions"]); !slices.Equal(actions,
						[]string{"LockstepTransitions"}) {
						t.Errorf("%s: the alarm tells %v", name, actions)
					}

					for _, query := range r.Properties["Metrics"].([]any) {
						if stat, ok := query.(map[string]any)["MetricStat"].(map[string]any); ok {
							dimension := stat["Metric"].(map[string]any)["Dimensions"].([]any)[0].(map[string]any)
							watched = append(watched, dimension["Value"].(string))
						}
					}
				}
			}
		}

		slices.Sort(queues)
		slices.Sort(watched)

		if !slices.Equal(queues, watched) || len(watched) > 10 {
			t.Errorf("%s: the queues are %v, watched are %v, of which an alarm takes ten", name, queues,
				watched)
		}

		if leave != 2 {
			t.Errorf("%s: %d functions leave what they fail at, expected Signal and Recover", name, leave)
		}
	}
}
