package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

// What is accepted of a cdk.json can be stood up and ramped; what is refused is refused by its
// path.
func FuzzParse(f *testing.F) {
	var cdk struct{ Context map[string]json.RawMessage }

	data, err := os.ReadFile("../../cdk.json")
	if err == nil {
		err = json.Unmarshal(data, &cdk)
	}

	if err != nil {
		f.Fatal(err)
	}

	f.Add([]byte(cdk.Context["lockstep"]))
	f.Add([]byte(`{"app":"shop","functions":[{"name":"f","runtime":"nodejs22.x","handler":"i.h","routes":["/f"]}]}`))
	f.Add([]byte(
		`{"app":"shop","ramp":{"steps":[{"percent":1e-9,"bake":"1ns"},{"percent":100,"bake":"9999h"}]}}`))
	f.Add([]byte(`{"app":"shop","drain":{"quiet":"0s"},"alarms":{"period":"1m30s"},"windows":[{}]}`))
	f.Add([]byte(`{"app":"shop","database":{"new":{"name":"x"}},"github":{"repository":"a/b"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "lockstep") {
				t.Errorf("refused without a path: %v", err)
			}

			return
		}

		s := c.Settings(Places{})
		if _, err := sm.ParseSettings(s.JSON()); err != nil {
			t.Errorf("the settings can't be read again: %v", err)
		}

		before := 0.0
		for _, step := range s.Ramp.Steps {
			if !(step.Percent > 0 && step.Percent >= before) || step.Percent > 100 {
				t.Errorf("took a ramp of %+v", s.Ramp.Steps)
			}

			before = step.Percent
		}

		if by := s.Ramp.HarmBudget; (before == 100) == (by > 0) {
			t.Errorf("took a ramp that ends at %g, by a budget of %g", before, by)
		}

		for _, task := range sm.Functions() {
			if name := LambdaName(c.App, task); len(name) > 64 {
				t.Errorf("%s is no name of a Lambda", name)
			}
		}
	})
}
