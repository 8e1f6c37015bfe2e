package infra

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// settingsOf are the settings that the custom resource of a template writes, with values for what
// AWS fills in.
func settingsOf(t *testing.T, a app) sm.Settings {
	t.Helper()
	_, first := one(t, a, "Custom::Lockstep")

	s, err := sm.ParseSettings([]byte(resolve(first.Properties["Settings"])))
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// one is the only resource of a type in the main stack.
func one(t *testing.T, a app, kind string) (string, resource) {
	t.Helper()

	var ids []string

	stack := a.templates[main]
	for id, r := range stack.Resources {
		if r.Type == kind {
			ids = append(ids, id)
		}
	}

	if len(ids) != 1 {
		t.Fatalf("found %d of %s, expected one", len(ids), kind)
	}

	return ids[0], stack.Resources[ids[0]]
}

// resolve renders the functions of CloudFormation: a reference as the logical id, without its hash.
func resolve(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			pseudo := map[string]string{"AWS::Partition": "aws", "AWS::Region": wire.Region,
				"AWS::AccountId": wire.Account, "AWS::URLSuffix": "amazonaws.com"}
			if known, ok := pseudo[ref]; ok {
				return known
			}

			return plain(ref)
		}

		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return plain(get[0].(string)) + "." + get[1].(string)
		}

		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, resolve(part))
			}

			return strings.Join(parts, join[0].(string))
		}
	}

	return fmt.Sprint(value)
}

// plain is a logical id without the hash that CDK appends.
func plain(id string) string { return id[:max(0, len(id)-8)] }

// resolveAll renders the functions of CloudFormation anywhere in a value.
func resolveAll(value any) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = resolveAll(one)
		}

		return list
	case map[string]any:
		for key := range v {
			if key == "Ref" || strings.HasPrefix(key, "Fn::") {
				return resolve(v)
			}
		}

		object := map[string]any{}
		for key, one := range v {
			object[key] = resolveAll(one)
		}

		return object
	}

	return value
}

// standUp is the same application on the stand-ins.
func standUp(t *testing.T, c config.Config) *stack.Stack {
	t.Helper()

	options := stack.Options{
		Config: c, SiteURL: "https://shop.example.com", Code: map[sm.Task][]byte{}, Placeholder: zipped(t), Runner: lambda.NewInProcess(nil),
		Secret: "{}", MetricPeriod: time.Minute, CallTimeout: 29 * time.Second, EdgeConvergence: 90 * time.Second,
	}
	for _, task := range sm.Functions() {
		options.Code[task] = options.Placeholder
	}

	s, err := stack.Up(options)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func zipped(t *testing.T) []byte {
	t.Helper()

	var packed bytes.Buffer

	w := zip.NewWriter(&packed)
	if _, err := w.Create("bootstrap"); err != nil {
		t.Fatal(err)
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return packed.Bytes()
}

// named are the settings that are names which AWS, or a run on one machine, gives.
var named = []string{"api", "database", "keyValueStore", "schedules", "siteBuckets", "stateBucket"}

// TestWiring_Settings holds what AWS gets against what a run on one machine gets of the same
// configuration.
func TestWiring_Settings(t *testing.T) {
	a := apps["everything"](t) // jsii's process is of no bubble
	synctest.Test(t, func(t *testing.T) {
		local := standUp(t, a.config)
		defer local.Close()

		here, there := fields(t, local.Settings), fields(t, settingsOf(t, a))
		for _, name := range slices.Sorted(maps.Keys(here)) {
			if there[name] == "" || slices.Contains(named, name) {
				continue
			}

			if here[name] != there[name] {
				t.Errorf("%s: here %s, on AWS %s", name, here[name], there[name])
			}
		}

		if h, a := slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(there)); !slices.Equal(h, a) {
			t.Errorf("fields: here %v\non AWS %v", h, a)
		}

		if local.Settings.Schedules.Group != settingsOf(t, a).Schedules.Group {
			t.Errorf("schedules.group: here %s", local.Settings.Schedules.Group)
		}
	})
}

// fields are the settings that say something.
func fields(t *testing.T, s sm.Settings) map[string]string {
	t.Helper()

	var object map[string]any
	if err := json.Unmarshal(s.JSON(), &object); err != nil {
		t.Fatal(err)
	}

	texts := map[string]string{}

	for key, value := range object {
		if value != nil && value != "" {
			text, _ := json.Marshal(value)
			texts[key] = string(text)
		}
	}

	return texts
}

// TestWiring_Alarms: what judges on AWS judges on one machine, by the same expressions.
func TestWiring_Alarms(t *testing.T) {
	a := apps["everything"](t) // jsii's process is of no bubble
	synctest.Test(t, func(t *testing.T) {
		local := standUp(t, a.config)
		defer local.Close()

		there := map[string]string{}

		for _, template := range a.templates {
			for _, r := range template.Resources {
				// else it tells people, and judges nobody
				if r.Type == "AWS::CloudWatch::Alarm" && r.Properties["AlarmActions"] == nil {
					queries := r.Properties["Metrics"].([]any)
					there[r.Properties["AlarmName"].(string)] = fmt.Sprintln(queries[0].(map[string]any)["Expression"], r.Properties["Threshold"], len(queries), r.Properties["EvaluationPeriods"])
				}
			}
		}

		here := map[string]string{}
		for _, alarm := range local.Cloud.Metrics.Alarms() {
			here[*alarm.AlarmName] = fmt.Sprintln(*alarm.Metrics[0].Expression, *alarm.Threshold,
				len(alarm.Metrics), *alarm.EvaluationPeriods)
		}

		if !maps.Equal(here, there) {
			t.Errorf("here   %v\non AWS %v", here, there)
		}
	})
}

// TestWiring_Names holds the template against the settings that its Lambdas will read: every name
// in there is made.
func TestWiring_Names(t *testing.T) {
	for name, synthesized := range apps {
		t.Run(name, func(t *testing.T) {
			a := synthesized(t)
			made := map[string]bool{}

			for _, template := range a.templates {
				for id, r := range template.Resources {
					made[plain(id)] = true
					for _, key := range []string{"FunctionName", "AlarmName", "Name", "StateMachineName"} {
						made[r.Type+" "+resolve(r.Properties[key])] = true
					}
				}
			}

			s := settingsOf(t, a)

			needed := []string{s.StateBucket, s.SiteBuckets[sm.A], s.SiteBuckets[sm.B], s.API,
				"AWS::Scheduler::ScheduleGroup " + s.Schedules.Group, strings.TrimSuffix(s.Schedules.Role,
					".Arn"),
				"AWS::StepFunctions::StateMachine " + s.Machine[strings.LastIndex(s.Machine, ":")+1:]}
			if a.config.Router != config.LambdaEdge { // which reads the state bucket
				needed = append(needed, strings.TrimSuffix(s.KeyValue, ".Arn"))
			}

			for _, alarm := range s.Alarms {
				needed = append(needed, "AWS::CloudWatch::Alarm "+alarm.Name)
			}

			for i, f := range s.Functions {
				if a.config.Functions[i].Existing == "" {
					needed = append(needed, "AWS::Lambda::Function "+f.Lambda)
				}
			}

			for _, task := range sm.Functions() {
				needed = append(needed, "AWS::Lambda::Function "+config.LambdaName(s.App, task))
			}

			for _, name := range needed {
				if !made[name] {
					t.Errorf("settings name %s, which the template does not make", name)
				}
			}
		})
	}
}

// TestWiring_Environment: the variables that the mains read are those that the template sets.
func TestWiring_Environment(t *testing.T) {
	for name, synthesized := range apps {
		a := synthesized(t)

		s := settingsOf(t, a)
		for _, r := range a.templates[main].Resources {
			fn, _ := r.Properties["FunctionName"].(string)
			if r.Type != "AWS::Lambda::Function" || !strings.HasPrefix(fn, config.LambdaName(s.App, "")) ||
				strings.HasSuffix(fn, "-provision") {
				continue // the one at the edge can have neither
			}

			want := map[string]string{sm.StateBucketVariable: s.StateBucket}
			inside := s.Database != nil && (fn == config.LambdaName(s.App, sm.Expand) ||
				fn == config.LambdaName(s.App, sm.Contract) || fn == config.LambdaName(s.App, sm.Repair))
			got := map[string]string{}
			environment, _ := r.Properties["Environment"].(map[string]any)

			variables, _ := environment["Variables"].(map[string]any)
			for key, value := range variables {
				got[key] = resolve(value)
			}

			if !maps.Equal(got, want) {
				t.Errorf("%s: %s has the variables %v, expected %v", name, fn, got, want)
			}

			if (r.Properties["VpcConfig"] != nil) != inside {
				t.Errorf("%s: %s is in a network: %v, expected %v", name, fn, r.Properties["VpcConfig"] != nil,
					inside)
			}

			if r.Properties["Timeout"] != 900.0 || fmt.Sprint(r.Properties["Architectures"]) != "[arm64]" ||
				r.Properties["Runtime"] != "provided.al2023" {
				t.Errorf("%s: %s runs as %v %v for %v s", name, fn, r.Properties["Runtime"],
					r.Properties["Architectures"], r.Properties["Timeout"])
			}
		}
	}
}

// TestWiring_Definition: the machine runs the one definition, calls each Lambda by its version,
// and no other.
func TestWiring_Definition(t *testing.T) {
	a := apps["everything"](t)

	_, machine := one(t, a, "AWS::StepFunctions::StateMachine")
	if machine.Properties["DefinitionString"] != sm.Definition {
		t.Error("the machine's definition is not release.asl.json")
	}

	substitutions := machine.Properties["DefinitionSubstitutions"].(map[string]any)
	if len(substitutions) != len(sm.Tasks()) {
		t.Errorf("found %d substitutions, expected %d", len(substitutions), len(sm.Tasks()))
	}

	for _, task := range sm.Tasks() {
		id, _ := substitutions[string(task)].(map[string]any)["Ref"].(string)

		version := a.templates[main].Resources[id]
		if version.Type != "AWS::Lambda::Version" ||
			!strings.HasPrefix(id, "Lockstep"+string(task)+"Function") {
			t.Errorf("%s stands for %s, expected a version of its Lambda", task, id)
		}
	}
}

// TestWiring_Versions: whatever calls Lockstep calls a version, never the newest code, and no
// version goes while a release may still call it. So a release under way sees one version of the
// steps, and of Signal and Recover one deployment's.
func TestWiring_Versions(t *testing.T) {
	template := apps["everything"](t).templates[main]
	versions := 0

	for id, r := range template.Resources {
		switch r.Type {
		case "AWS::Lambda::Version":
			versions++

			if r.DeletionPolicy != "Retain" {
				t.Errorf("%s: found the deletion policy %q: the version is gone with the next deployment", id,
					r.DeletionPolicy)
			}
		case "AWS::Events::Rule":
			for _, target := range r.Properties["Targets"].([]any) {
				ref, _ := target.(map[string]any)["Arn"].(map[string]any)["Ref"].(string)
				if called := template.Resources[ref].Type; strings.Contains(
					fmt.Sprint(target.(map[string]any)["Arn"]), "Function") && called != "AWS::Lambda::Version" {
					t.Errorf("%s calls %s, expected a version", id, resolve(target.(map[string]any)["Arn"]))
				}
			}
		}
	}

	if want := len(sm.Tasks()) + 2; versions != want {
		t.Errorf("found %d versions, expected %d: the steps', Signal's and Recover's", versions, want)
	}
}

// rulesOf are the event patterns of a template by the rules' names.
func rulesOf(a app) map[string]string {
	rules := map[string]string{}

	for _, r := range a.templates[main].Resources {
		if r.Type == "AWS::Events::Rule" && r.Properties["EventPattern"] != nil {
			pattern, _ := json.Marshal(resolveAll(r.Properties["EventPattern"]))
			rules[r.Properties["Name"].(string)] = string(pattern)
		}
	}

	return rules
}

// rulesHere are those of a run on one machine, whose page tells of the transitions itself.
func rulesHere(t *testing.T) map[string]string {
	t.Helper()
	rules, everything := map[string]string{}, apps["everything"](t).config
	synctest.Test(t, func(t *testing.T) {
		local := standUp(t, everything)
		defer local.Close()

		listed, err := eventbridge.NewFromConfig(local.Cloud.Config()).ListRules(t.Context(),
			&eventbridge.ListRulesInput{})
		if err != nil {
			t.Fatal(err)
		}

		for _, rule := range listed.Rules {
			if pattern := *rule.EventPattern; pattern != "" {
				rules[*rule.Name] = pattern
			}
		}
	})

	if len(rules) != 6 {
		t.Fatalf("found the rules %v here, expected merge, upload, alarm, operator, freeze and dead",
			rules)
	}

	return rules
}

// matching are the rules that an event matches, by EventBridge's stand-in.
func matching(t *testing.T, rules map[string]string, source, detailType,
	detail string) (matched []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // each rule delivers in its own goroutine

		service := events.New(func(_ context.Context, target, _ string, _ []byte) error {
			mu.Lock()
			defer mu.Unlock()

			matched = append(matched, target)

			return nil
		})
		defer service.Close()

		for name, pattern := range rules {
			if err := service.PutRule(events.Rule{Name: name, Pattern: pattern,
				Targets: []events.Target{{ID: "x", ARN: name}}}); err != nil {
				t.Fatalf("rule %s: %s: %v", name, pattern, err)
			}
		}

		service.Emit(source, detailType, nil, json.RawMessage(detail))
		synctest.Wait()
	})
	slices.Sort(matched)

	return matched
}

// TestWiring_Sweep: by the clock, Recover looks for what no event told it, as often as the
// settings say.
func TestWiring_Sweep(t *testing.T) {
	a := apps["smallest"](t)
	for _, r := range a.templates["lockstep-shop.template.json"].Resources {
		if r.Type == "AWS::Events::Rule" && r.Properties["Name"] == "lockstep-shop-sweep" {
			if every := settingsOf(t, a).Sweep.Std(); r.Properties["ScheduleExpression"] != fmt.Sprintf("rate(%.0f minutes)", every.Minutes()) || r.Properties["State"] != "ENABLED" {
				t.Errorf("the rule is %v, the settings say %s", r.Properties, every)
			}

			return
		}
	}

	t.Error("there is no such rule")
}

func TestWiring_EventPatterns(t *testing.T) {
	rules := rulesOf(apps["everything"](t))
	here := rulesHere(t)

	const machine = "arn:aws:states:" + wire.Region + ":" + wire.Account + ":stateMachine:"
	for _, c := range []struct{ name, source, detailType, detail, rule string }{
		{"merge", sm.SourceCI, sm.DetailMerge, `{"app":"shop","release":"v2","sequence":2}`, "merge"},
		{"merge of another application", sm.SourceCI, sm.DetailMerge,
			`{"app":"shop2","release":"v2","sequence":2}`, ""},
		{"merge that another tool put", "my.ci", sm.DetailMerge,
			`{"app":"shop","release":"v2","sequence":2}`, ""},
		{"upload", "aws.s3", "Object Created", `{"bucket":{"name":"STATE"},"object":{"key":"releases/v2/release.json","size":1}}`, "upload"},
		{"upload of a zip", "aws.s3", "Object Created",
			`{"bucket":{"name":"STATE"},"object":{"key":"releases/v2/site.zip","size":1}}`, ""},
		{"upload elsewhere", "aws.s3", "Object Created",
			`{"bucket":{"name":"other"},"object":{"key":"releases/v2/release.json","size":1}}`, ""},
		{"manifest deleted", "aws.s3", "Object Deleted",
			`{"bucket":{"name":"STATE"},"object":{"key":"releases/v2/release.json"}}`, ""},
		{"ledger written", "aws.s3", "Object Created",
			`{"bucket":{"name":"STATE"},"object":{"key":"ledger/releases/v2.json"}}`, ""},
		{"alarm", "aws.cloudwatch", "CloudWatch Alarm State Change",
			`{"alarmName":"shop-a-api-5xx","state":{"value":"ALARM"}}`, "alarm"},
		{"alarm over", "aws.cloudwatch", "CloudWatch Alarm State Change",
			`{"alarmName":"shop-b-api-5xx","state":{"value":"OK"}}`, "alarm"},
		{"alarm of another application", "aws.cloudwatch", "CloudWatch Alarm State Change",
			`{"alarmName":"shop2-a-api-5xx","state":{"value":"ALARM"}}`, ""},
		{"alarm reconfigured", "aws.cloudwatch", "CloudWatch Alarm Configuration Change",
			`{"alarmName":"shop-a-api-5xx"}`, ""},
		{"operator", sm.SourceOperator, sm.DetailOperator, `{"app":"shop","action":"pause"}`, "operator"},
		{"operator of another application", sm.SourceOperator, sm.DetailOperator,
			`{"app":"shop2","action":"pause"}`, ""},
		{"frozen", "aws.ssm", sm.DetailParameter, `{"name":"/lockstep/shop/freeze","operation":"Update","type":"String"}`, "freeze"},
		{"freeze of another application", "aws.ssm", sm.DetailParameter,
			`{"name":"/lockstep/shop2/freeze","operation":"Update","type":"String"}`, ""},
		{"roles swapped", "aws.ssm", sm.DetailParameter,
			`{"name":"/lockstep/shop/environments","operation":"Update","type":"String"}`, ""},
		{"failed", "aws.states", "Step Functions Execution Status Change", `{"stateMachineArn":"` +
			machine + `lockstep-shop","status":"FAILED"}`, "dead"},
		{"aborted", "aws.states", "Step Functions Execution Status Change", `{"stateMachineArn":"` +
			machine + `lockstep-shop","status":"ABORTED"}`, "dead"},
		{"timed out", "aws.states", "Step Functions Execution Status Change", `{"stateMachineArn":"` +
			machine + `lockstep-shop","status":"TIMED_OUT"}`, "dead"},
		{"succeeded", "aws.states", "Step Functions Execution Status Change", `{"stateMachineArn":"` +
			machine + `lockstep-shop","status":"SUCCEEDED"}`, ""},
		{"failed elsewhere", "aws.states", "Step Functions Execution Status Change",
			`{"stateMachineArn":"` + machine + `lockstep-shop2","status":"FAILED"}`, ""},
		{"transition", sm.Source, sm.DetailStateChange,
			`{"app":"shop","release":"v2","weight":500,"notice":{"notable":true}}`, "transition transition-log"},
		{"transition of no note", sm.Source, sm.DetailStateChange,
			`{"app":"shop","release":"v2","weight":500,"notice":{"notable":false}}`, "transition-log"},
		{"transition of another application", sm.Source, sm.DetailStateChange,
			`{"app":"shop2","release":"v2","weight":500,"notice":{"notable":true}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []string
			for _, rule := range strings.Fields(c.rule) {
				want = append(want, "lockstep-shop-"+rule)
			}

			if got := matching(t, rules, c.source, c.detailType,
				strings.ReplaceAll(c.detail, "STATE", "LockstepState")); !slices.Equal(got, want) {
				t.Errorf("matched %v, expected %v", got, want)
			}

			want = slices.DeleteFunc(want, func(rule string) bool { return here[rule] == "" })
			if got := matching(t, here, c.source, c.detailType,
				strings.ReplaceAll(c.detail, "STATE", "shop-lockstep-state")); !slices.Equal(got, want) {
				t.Errorf("on one machine it matched %v, expected %v", got, want)
			}
		})
	}
}
