package infra

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// callsFile is what each Lambda asked of AWS over all stories of functions.
const callsFile = "../functions/testdata/calls.txt"

// uncalled is what is granted though no story calls it, and why.
var uncalled = map[string]string{
	"s3:GetObject state/settings.json":          "the main of each Lambda reads it; stories hand the settings over",
	"s3:ListBucket state":                       "without it S3 does not say that an object of the ledger is missing",
	"Probe s3:ListBucket site":                  "without it S3 does not say that index.html is missing",
	"iam:PassRole scheduler":                    "whoever makes a schedule hands it a role, which is no call of its own",
	"Repair scheduler:DeleteSchedule schedule":  "the clock of a bake that nobody waits for any more",
	"Recover scheduler:UpdateSchedule schedule": "the clock of a bake that is overdue and still there",
	"Sync s3:DeleteObject site/*":               "an entry page that the fallback does not have",
	"Deploy s3:DeleteObject site/*":             "an entry page that the release does not have any more",
	"logs:CreateLogStream log":                  "Lambda itself writes the log",
	"logs:PutLogEvents log":                     "Lambda itself writes the log",
	"ec2 network":                               "Lambda itself makes the network interfaces",
	"sqs:SendMessage failed":                    "Lambda itself puts there what the function failed at",
}

// TestPermissions_AreThoseOfTheCalls: nothing used is missing, nothing granted is unused.
func TestPermissions_AreThoseOfTheCalls(t *testing.T) {
	data, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}

	called := strings.Split(strings.TrimSpace(string(data)), "\n")

	var granted []string

	reasons := map[string]bool{}

	for _, task := range sm.Functions() {
		for _, grant := range grantsOf(t, apps["everything"](t), "Lockstep"+string(task)+"Role") {
			line := string(task) + " " + grant

			granted = append(granted, line)
			if slices.Contains(called, line) {
				continue
			}

			switch {
			case uncalled[line] != "":
				reasons[line] = true
			case uncalled[grant] != "":
				reasons[grant] = true
			default:
				t.Errorf("%s is granted, but no story calls it", line)
			}
		}
	}

	for _, line := range called {
		if !slices.Contains(granted, line) {
			t.Errorf("%s is called, but not granted", line)
		}
	}

	for line := range uncalled {
		if !reasons[line] {
			t.Errorf("%s has a reason, but a story calls it, or nobody is granted it", line)
		}
	}
}

// grantsOf are the grants of a role, as lines of action and kind of resource.
func grantsOf(t *testing.T, a app, role string) []string {
	t.Helper()

	lines := map[string]bool{}

	for id, r := range a.templates[main].Resources {
		if r.Type != "AWS::IAM::Role" || plain(id) != role {
			continue
		}

		for _, statement := range statements(r) {
			for _, action := range statement.actions {
				for _, resource := range statement.resources {
					line := action + " " + kindOf(action, resource)
					if strings.HasPrefix(action, "ec2:") {
						line = "ec2 network"
					}

					lines[line] = true
				}
			}
		}
	}

	if len(lines) == 0 {
		t.Fatalf("found no role %s", role)
	}

	return slices.Sorted(maps.Keys(lines))
}

type statement struct{ actions, resources []string }

func statements(r resource) (list []statement) {
	policies, _ := r.Properties["Policies"].([]any)

	documents := []any{r.Properties["PolicyDocument"]}
	for _, policy := range policies {
		documents = append(documents, policy.(map[string]any)["PolicyDocument"])
	}

	for _, document := range documents {
		object, ok := document.(map[string]any)
		if !ok {
			continue
		}

		for _, one := range object["Statement"].([]any) {
			s := one.(map[string]any)
			list = append(list, statement{texts(s["Action"]), texts(s["Resource"])})
		}
	}

	return list
}

func texts(value any) (list []string) {
	if many, ok := value.([]any); ok {
		for _, one := range many {
			list = append(list, resolve(one))
		}

		return list
	}

	if value == nil {
		return nil
	}

	return []string{resolve(value)}
}

// kindOf is a resource as functions/testdata/calls.txt calls it; what is not of these is shown as
// it is.
func kindOf(action, resource string) string {
	if resource == "*" && action == "scheduler:ListSchedules" {
		return "schedule"
	}

	for _, kind := range []struct{ prefix, suffix, name string }{
		{"LockstepState.Arn", "", "state"}, {"LockstepSiteA.Arn", "", "site"}, {"LockstepSiteB.Arn", "",
			"site"},
	} {
		if rest, ok := strings.CutPrefix(resource, kind.prefix); ok {
			return kind.name + rest
		}
	}

	service, _, _ := strings.Cut(action, ":")
	for _, known := range []struct{ service, resource, name string }{
		{"lambda", ":function:shop-*", "function"},
		{"lambda", ":function:release-check", "function"},
		{"apigateway", "/restapis/LockstepApi/stages/api-", "stage"},
		{"ssm", ":parameter" + sm.ControlParameter("shop"), "control"},
		{"ssm", ":parameter" + sm.FreezeParameter("shop"), "freeze"},
		{"secretsmanager", "LockstepDatabaseSecretAttachment", "secret"},
		{"cloudfront-keyvaluestore", "LockstepRoute.Arn", "route"},
		{"events", ":event-bus/default", "bus"},
		{"scheduler", ":schedule/lockstep-shop/*", "schedule"},
		{"states", ":stateMachine:lockstep-shop", "machine"},
		{"states", ":execution:lockstep-shop:*", "execution"},
		{"iam", "LockstepSchedulerRole.Arn", "scheduler"},
		{"logs", "Log.Arn", "log"},
		{"sqs", "LockstepFailed.Arn", "failed"},
	} {
		if service == known.service && strings.Contains(resource, known.resource) {
			return known.name
		}
	}

	return resource
}

// wide are the actions for which AWS offers no resource, or none that is known before.
var wide = map[string]string{
	"cloudwatch:DescribeAlarms": "composite alarms are shown to none with less", "cloudwatch:GetMetricData": "knows no resources",
	"scheduler:ListSchedules": "is held against schedule/*/*, whatever group it asks for: https://github.com/aws/aws-cdk/issues/38201",
	"dynamodb:ListStreams":    "knows no resources",
	"logs":                    "the delivery of logs knows no resources", "xray": "knows no resources", "ec2": "a network interface has no name before it is made",
}

// TestPermissions_AreNarrow reads every policy of every application.
func TestPermissions_AreNarrow(t *testing.T) {
	for name, synthesized := range apps {
		for file, template := range synthesized(t).templates {
			for id, r := range template.Resources {
				if r.Type != "AWS::IAM::Role" && r.Type != "AWS::IAM::Policy" {
					continue
				}

				for _, s := range statements(r) {
					for _, action := range s.actions {
						service, _, _ := strings.Cut(action, ":")
						if strings.Contains(action, "*") {
							t.Errorf("%s: %s: %s: found the action %s", name, file, id, action)
						}

						if wide[action] != "" && !slices.Equal(s.resources, []string{"*"}) {
							t.Errorf("%s: %s: %s: found %s on %v, which AWS refuses: it %s", name, file, id, action,
								s.resources, wide[action])
						}

						if slices.Contains(s.resources, "*") && wide[action] == "" && wide[service] == "" {
							t.Errorf("%s: %s: %s: found %s on every resource", name, file, id, action)
						}
					}
				}
			}
		}
	}
}

// TestPermissions_FitIntoAPolicy: AWS counts a role's policies without white space. As many
// functions as may be adopted fit, with the longest names.
func TestPermissions_FitIntoAPolicy(t *testing.T) {
	var adopted []string
	for i := range config.MaxAdopted {
		adopted = append(adopted, fmt.Sprintf(`{"name":"f%d","existing":"%064d","events":[{"schedule":"rate(1 day)"}]}`, i, i))
	}

	crowd, err := synth("", `{"app":"shop","functions":[`+strings.Join(adopted, ",")+
		`],"probe":{"function":"check"},"database":{"new":{"name":"shop"}}}`)
	if err != nil {
		t.Fatal(err)
	}

	for _, a := range []app{apps["large"](t), crowd} {
		for id, r := range a.templates[main].Resources {
			if r.Type != "AWS::IAM::Role" {
				continue
			}

			size := 0
			for _, s := range statements(r) {
				size += 120
				for _, text := range append(s.actions, s.resources...) {
					size += len(text) + 3
				}
			}

			if size > 10240 {
				t.Errorf("the policy of %s has %d characters, expected at most 10240", id, size)
			}
		}
	}
}
