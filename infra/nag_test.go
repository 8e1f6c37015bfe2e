package infra

import "testing"

func TestTemplates_AwsSolutions(t *testing.T) {
	for name, synthesized := range apps {
		if name == "large" { // what is in it is in the others
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, finding := range synthesized(t).findings {
				t.Error(finding)
			}
		})
	}
}
