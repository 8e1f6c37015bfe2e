package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"lockstep/infra/local/cloud/wire"
)

// TestEvents_CallWhatServes: each source of cdk.json is bound, to the alias live of its function
// and no other, and is allowed to call it; live is made for just those functions.
func TestEvents_CallWhatServes(t *testing.T) {
	for name, want := range map[string][]string{
		"smallest": nil, "large": nil,
		"everything": {"failures shop-catalog", "queue shop-catalog", "queue shop-catalog",
			"queue shop-catalog", "rule shop-catalog", "rule shop-catalog", "topic shop-catalog"},
		"adopted": {"rule catalog-production"},
	} {
		a := apps[name](t)
		live := map[string]bool{}

		for _, f := range settingsOf(t, a).Functions {
			if f.Live {
				live[f.Lambda] = true
			}
		}

		prefix, suffix := wire.ARN("lambda", "function:"), ":live"
		called := func(value any) string {
			fn, _ := strings.CutPrefix(resolve(value), prefix)

			fn, ok := strings.CutSuffix(fn, suffix)
			if !ok || !live[fn] {
				t.Errorf("%s: found that %s is called, expected the alias live of one of %v", name,
					resolve(value), slices.Sorted(maps.Keys(live)))
			}

			return fn
		}

		var got []string

		for file, template := range a.templates {
			if !strings.Contains(file, "Events") {
				continue
			}

			sources, permitted := map[string]bool{}, map[string]bool{}

			for _, r := range template.Resources {
				p := r.Properties
				switch r.Type {
				case "AWS::Events::Rule":
					target := p["Targets"].([]any)[0].(map[string]any)
					got = append(got, "rule "+called(target["Arn"]))

					rule := "rule/" + p["Name"].(string)
					if bus, ok := p["EventBusName"].(string); ok {
						rule = "rule/" + bus + "/" + p["Name"].(string)
					}

					sources[wire.ARN("events", rule)] = true
				case "AWS::Lambda::EventInvokeConfig":
					got = append(got, "failures "+called(prefix+p["FunctionName"].(string)+":"+
						p["Qualifier"].(string)))

					failed := p["DestinationConfig"].(map[string]any)["OnFailure"].(map[string]any)["Destination"]
					if !sends(a)[resolve(failed)] {
						t.Errorf("%s: no function may leave in %s what it failed at", name, resolve(failed))
					}
				case "AWS::SNS::Subscription":
					got = append(got, "topic "+called(p["Endpoint"]))
					sources[p["TopicArn"].(string)] = true
				case "AWS::Lambda::EventSourceMapping":
					fn := called(p["FunctionName"])

					got = append(got, "queue "+fn)
					if !consumed(a)[p["EventSourceArn"].(string)] {
						t.Errorf("%s: %s may not take messages from %s", name, fn, p["EventSourceArn"])
					}
				case "AWS::Lambda::Permission":
					called(p["FunctionName"])
					permitted[resolve(p["SourceArn"])] = true
				}
			}

			if !maps.Equal(sources, permitted) {
				t.Errorf("%s: %v may call, expected %v", name, permitted, sources)
			}
		}

		slices.Sort(got)

		if !slices.Equal(got, want) {
			t.Errorf("%s: found %v, expected %v", name, got, want)
		}
	}
}

// consumed are the queues and streams from which some function of the application may take
// messages.
func consumed(a app) map[string]bool {
	return allowed(a, func(action string) bool {
		return action == "sqs:ReceiveMessage" || strings.HasSuffix(action, ":GetRecords")
	})
}

// sends are the queues into which some function of the application may put messages.
func sends(a app) map[string]bool {
	return allowed(a, func(action string) bool { return action == "sqs:SendMessage" })
}

func allowed(a app, what func(action string) bool) map[string]bool {
	resources := map[string]bool{}

	for file, template := range a.templates {
		if !strings.Contains(file, "Functions") {
			continue
		}

		for _, r := range template.Resources {
			for _, s := range statements(r) {
				if slices.ContainsFunc(s.actions, what) {
					for _, one := range s.resources {
						resources[one] = true
					}
				}
			}
		}
	}

	return resources
}
