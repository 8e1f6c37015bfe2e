package statemachine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "lockstep/statemachine"
)

func TestRampPlan_Expanded(t *testing.T) {
	minute := Duration(time.Minute)
	for name, c := range map[string]struct {
		plan RampPlan
		want string
	}{
		"as it is": {RampPlan{Steps: []RampStep{{Percent: 7, Bake: minute, Approval: true}}},
			"7"},
		"linear":              {RampPlan{Linear: &Linear{10, minute}}, "10 20 30 40 50 60 70 80 90 100"},
		"linear, with a rest": {RampPlan{Linear: &Linear{30, minute}}, "30 60 90 100"},
		"linear, of thirds":   {RampPlan{Linear: &Linear{33.333, minute}}, "33.33 66.67 100"},
		"linear, at once":     {RampPlan{Linear: &Linear{100, minute}}, "100"},
		"linear, and the rest": {RampPlan{Linear: &Linear{25, minute}, MinimumRequests: 3},
			"25 50 75 100"},
		"exponential": {RampPlan{Exponential: &Exponential{1, 3, minute}}, "1 3 9 27 81 100"},
		"exponential, slow": {RampPlan{Exponential: &Exponential{50, 1.2, minute}},
			"50 60 72 86.4 100"},
		"exponential, fast": {RampPlan{Exponential: &Exponential{0.01, 1000, minute}}, "0.01 10 100"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.plan.Expanded()
			if err != nil || got.Linear != nil || got.Exponential != nil ||
				got.MinimumRequests != c.plan.MinimumRequests {
				t.Fatalf("found %+v (%v)", got, err)
			}

			var percents []string
			for _, step := range got.Steps {
				percents = append(percents, fmt.Sprint(step.Percent))
				if step.Bake != minute {
					t.Errorf("%g %% bakes for %s", step.Percent, step.Bake)
				}
			}

			if text := strings.Join(percents, " "); text != c.want {
				t.Errorf("found %s, expected %s", text, c.want)
			}
		})
	}
}

func TestRampPlan_Expanded_Refuses(t *testing.T) {
	for says, plan := range map[string]RampPlan{
		"ramp: found more than one of": {Linear: &Linear{By: 10},
			Exponential: &Exponential{From: 1, Factor: 2}},
		"ramp: found more than one of steps": {Linear: &Linear{By: 10},
			Steps: []RampStep{}},
		"ramp.linear.by: found -1, expected more than 0":      {Linear: &Linear{By: -1}},
		"ramp.linear.by: found 101":                           {Linear: &Linear{By: 101}},
		"ramp.linear.by: found a ramp of more than 100 steps": {Linear: &Linear{By: 0.001}},
		"ramp.exponential.from: found 0":                      {Exponential: &Exponential{Factor: 2}},
		"ramp.exponential.factor: found 0.5, expected more than 1": {Exponential: &Exponential{From: 1,
			Factor: 0.5}},
		"ramp.exponential.factor: found a ramp of more than 100 ste": {Exponential: &Exponential{From: 1,
			Factor: 1.001}},
	} {
		if _, err := plan.Expanded(); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("found %v, expected %s", err, says)
		}
	}
}
