package infra

import (
	"strings"
	"testing"
)

func TestTemplates_AwsSolutions(t *testing.T) {
	for name, synthesized := range apps {
		if name == "large" { // what is in it is in the others
			continue
		}

		t.Run(name, func(t *testing.T) {
			a := synthesized(t)
			// by resource: the reasons that were needed, each after "[what was found] " or alone
			excused := map[string]string{}

			for _, row := range a.findings {
				rule, resource, verdict, reason := row[0], row[1], row[2], row[3]
				switch verdict {
				case "Compliant":
				case "Suppressed":
					excused[resource] += "\n" + reason + "\n"
				default:
					t.Errorf("%s: %s: %s", resource, rule, strings.Join(row[2:], " | "))
				}
			}
			// A reason that nothing needs would hide what comes later.
			given := map[string]int{}

			for _, template := range a.templates {
				for _, r := range template.Resources {
					for _, s := range r.Metadata.Nag.Suppressed {
						given[s.Reason]++
						if len(strings.Fields(s.Reason)) < 5 {
							t.Errorf("%s: %q is no reason", s.ID, s.Reason)
						}

						if s.ID == "AwsSolutions-IAM5" && s.AppliesTo == nil {
							t.Errorf("%s: %q: found it for a whole policy, expected it for one resource", s.ID, s.Reason)
						}
					}
				}
			}

			for reason, n := range given {
				needed := 0

				for _, reasons := range excused {
					if strings.Contains(reasons, "\n"+reason+"\n") || strings.Contains(reasons, "] "+reason+"\n") {
						needed++
					}
				}

				if n != needed {
					t.Errorf("%q is given to %d resources, and needed by %d", reason, n, needed)
				}
			}
		})
	}
}
