package infra

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/infra/config"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// sample is the application of this repository's cdk.json.
var sample = synthOnce("sample", contextOf("../cdk.json"))

func contextOf(file string) string {
	var cdk struct {
		Context struct{ Lockstep json.RawMessage }
	}

	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &cdk)
	}

	if err != nil {
		panic(err)
	}

	return string(cdk.Context.Lockstep)
}

// onlyOnAWS is what the template declares and the local stack lacks, and why.
var onlyOnAWS = map[string]string{
	"alarm lockstep-shop-undelivered":   "it mails people; here the tests read the dead letters",
	"rule lockstep-shop-transition":     "it mails people; here the page tells of transitions",
	"rule lockstep-shop-transition-log": "it is for the dashboard; here the page tells of transitions",
	"function lockstep-shop-provision":  "it runs the custom resource, which the local stack runs itself",
}

// TestSplit_Sample: what the template declares is what the local stack has, and what the custom
// resource may make is what it has beside that.
func TestSplit_Sample(t *testing.T) {
	a := sample(t) // jsii's process is of no bubble
	synctest.Test(t, func(t *testing.T) {
		up := standUp(t, a.config)
		defer up.Close()

		there, here := declared(t, a, up.Settings), standing(t, up)
		for what := range onlyOnAWS {
			if there[what] == "" || here[what] != "" {
				t.Errorf("%s: found on AWS %q, here %q; expected it on AWS only", what, there[what], here[what])
			}

			delete(there, what)
		}

		names := maps.Clone(there)
		maps.Copy(names, here)

		for _, what := range slices.Sorted(maps.Keys(names)) {
			if here[what] != there[what] {
				t.Errorf("%s:\non AWS %s\nhere   %s", what, there[what], here[what])
			}
		}

		for _, kind := range []string{"alarm", "function", "machine", "parameter", "rule", "stage"} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(names)), func(what string) bool {
				return strings.HasPrefix(what, kind+" ")
			}) {
				t.Errorf("found no %s to compare", kind)
			}
		}
	})
}

// declared is what the templates say of each resource, with the names that the local settings have,
// and the parameters that the custom resource may make.
func declared(t *testing.T, a app, here sm.Settings) map[string]string {
	t.Helper()
	there, secret := settingsOf(t, a), here.Database.Secret
	renamed := strings.NewReplacer(
		there.StateBucket, here.StateBucket, there.SiteBuckets[sm.A], here.SiteBuckets[sm.A],
		there.SiteBuckets[sm.B], here.SiteBuckets[sm.B])

	made := map[string]string{}

	for _, template := range a.templates {
		for id, r := range template.Resources {
			if what, said := described(template, r, secret); what != "" {
				made[what] = renamed.Replace(canonical(t, resolveAll(said)))
			}

			if r.Type == "AWS::IAM::Role" && plain(id) == "LockstepProvisionRole" {
				for _, s := range statements(r) {
					if slices.Contains(s.actions, "ssm:PutParameter") {
						_, name, _ := strings.Cut(s.resources[0], ":parameter")
						made["parameter "+name] = "true"
					}
				}
			}
		}
	}

	return made
}

// described is the kind and name of a resource that the local stack has too, and what is compared.
func described(t template, r resource, secret string) (what string, said any) {
	p := r.Properties
	switch r.Type {
	case "AWS::CloudWatch::Alarm":
		return fmt.Sprint("alarm ", p["AlarmName"]), p
	case "AWS::Events::Rule":
		arn := p["Targets"].([]any)[0].(map[string]any)["Arn"]
		return fmt.Sprint("rule ", p["Name"]), []any{p["EventPattern"], p["State"], target(t, arn)}
	case "AWS::Lambda::Function":
		environment, _ := p["Environment"].(map[string]any)

		variables, _ := environment["Variables"].(map[string]any)
		if variables[config.DatabaseSecretKey] != nil {
			variables = maps.Clone(variables)
			variables[config.DatabaseSecretKey] = secret // a parameter of the nested stack
		}

		return fmt.Sprint("function ", p["FunctionName"]), []any{p["Handler"], p["MemorySize"],
			p["Timeout"], variables}
	case "AWS::ApiGateway::Stage":
		return fmt.Sprint("stage ", p["StageName"]), true
	case "AWS::StepFunctions::StateMachine":
		return fmt.Sprint("machine ", p["StateMachineName"]), true
	}

	return "", nil
}

// target is the name of the Lambda whose version a rule calls, or of the machine that it starts.
func target(t template, arn any) any {
	ref, _ := arn.(map[string]any)["Ref"].(string)
	switch r := t.Resources[ref]; r.Type {
	case "AWS::Lambda::Version":
		return target(t, r.Properties["FunctionName"])
	case "AWS::Lambda::Function":
		return r.Properties["FunctionName"]
	default:
		return r.Properties["StateMachineName"]
	}
}

// standing is the same of what stands here.
func standing(t *testing.T, up *stack.Stack) map[string]string {
	t.Helper()

	found, cfg := map[string]string{}, up.Cloud.Config()
	must := func(err error) {
		t.Helper()

		if err != nil {
			t.Fatal(err)
		}
	}

	for _, a := range up.Cloud.Metrics.Alarms() {
		found["alarm "+*a.AlarmName] = canonical(t, map[string]any{
			"AlarmName": a.AlarmName, "AlarmDescription": a.AlarmDescription, "Metrics": a.Metrics,
			"Threshold": a.Threshold, "ComparisonOperator": a.ComparisonOperator,
			"EvaluationPeriods": a.EvaluationPeriods, "DatapointsToAlarm": a.DatapointsToAlarm,
			"TreatMissingData": a.TreatMissingData,
		})
	}

	bus := eventbridge.NewFromConfig(cfg)
	rules, err := bus.ListRules(t.Context(), &eventbridge.ListRulesInput{})
	must(err)

	for _, r := range rules.Rules {
		targets, err := bus.ListTargetsByRule(t.Context(),
			&eventbridge.ListTargetsByRuleInput{Rule: r.Name})
		must(err)

		arn := *targets.Targets[0].Arn

		var pattern any
		if *r.EventPattern != "" {
			must(json.Unmarshal([]byte(*r.EventPattern), &pattern))
		}

		found["rule "+*r.Name] = canonical(t, []any{pattern, r.State,
			arn[strings.LastIndex(arn, ":")+1:]})
	}

	lambdas, err := lambda.NewFromConfig(cfg).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	must(err)

	for _, f := range lambdas.Functions {
		variables := map[string]string{}
		if f.Environment != nil {
			variables = f.Environment.Variables
		}

		found["function "+*f.FunctionName] = canonical(t,
			[]any{f.Handler, f.MemorySize, f.Timeout, variables})
	}

	stages, err := apigateway.NewFromConfig(cfg).GetStages(t.Context(),
		&apigateway.GetStagesInput{RestApiId: aws.String(stack.API)})
	must(err)

	for _, s := range stages.Item {
		found["stage "+*s.StageName] = "true"
	}

	machines, err := sfn.NewFromConfig(cfg).ListStateMachines(t.Context(),
		&sfn.ListStateMachinesInput{})
	must(err)

	for _, m := range machines.StateMachines {
		found["machine "+*m.Name] = "true"
	}

	parameters, err := ssm.NewFromConfig(cfg).GetParametersByPath(t.Context(),
		&ssm.GetParametersByPathInput{Path: aws.String("/"), Recursive: aws.Bool(true)})
	must(err)

	for _, p := range parameters.Parameters {
		found["parameter "+*p.Name] = "true"
	}

	return found
}

// canonical is a value as JSON, without the fields that say nothing.
func canonical(t *testing.T, value any) string {
	t.Helper()

	data, err := json.Marshal(value)

	var plain any
	if err == nil {
		err = json.Unmarshal(data, &plain)
	}

	if err == nil {
		data, err = json.Marshal(pruned(plain))
	}

	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}

func pruned(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, one := range v {
			if v[key] = pruned(one); v[key] == nil || v[key] == "" {
				delete(v, key)
			}
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}

	return value
}
