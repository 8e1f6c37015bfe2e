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

func TestTemplates_Limits(t *testing.T) {
	for name, synthesized := range apps {
		t.Run(name, func(t *testing.T) {
			for file, template := range synthesized(t).templates {
				t.Logf("%s: %d resources", file, len(template.Resources))
				if len(template.Resources) > 500 {
					t.Errorf("%s: found %d resources, expected at most 500", file, len(template.Resources))
				}
			}
		})
	}
}
