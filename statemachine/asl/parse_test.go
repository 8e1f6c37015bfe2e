package asl

import (
	"os"
	"strings"
	"testing"
)

const calling = `"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}`

// TestParse_Refuses checks that each error names the state and the field.
func TestParse_Refuses(t *testing.T) {
	state := func(fields string) string { return machine("S", `"S": {`+fields+`}`) }
	ending := func(fields string) string { return state(fields + `, "End": true`) }
	rule := func(fields string) string {
		return machine("S", `"S": {"Type": "Choice", "Choices": [{`+fields+`, "Next": "Done"}]}`, done)
	}

	const token = `"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", ` +
		`"Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}}`
	for name, c := range map[string]struct{ definition, want string }{
		"not JSON":      {`{"StartAt": }`, `definition: not JSON`},
		"not an object": {`[]`, `definition: found [], expected an object`},
		"no States":     {`{"StartAt": "S"}`, `definition: States: missing`},
		"no StartAt":    {`{"States": {` + done + `}}`, `definition: StartAt: missing`},
		"bad StartAt":   {machine("Gone", done), `definition: StartAt: there is no state "Gone"`},
		"unknown top field": {`{"StartAt": "Done", "Startat": "x", "States": {` + done + `}}`,
			`definition: Startat: unknown field`},
		"version": {`{"Version": "2.0", "StartAt": "Done", "States": {` + done + `}}`,
			`definition: Version: found "2.0"`},
		"JSONata": {`{"QueryLanguage": "JSONata", "StartAt": "Done", "States": {` + done +
			`}}`, `definition: QueryLanguage: found "JSONata"`},
		"JSONata state": {ending(`"Type": "Pass", "QueryLanguage": "JSONata"`),
			`state "S": QueryLanguage: found "JSONata"`},
		"unknown type": {state(`"Type": "Parallel"`), `state "S": Type: found "Parallel"`},
		"no type":      {state(`"Next": "S"`), `state "S": Type: found ""`},
		"long name": {machine("S", `"`+strings.Repeat("s", 81)+`": {"Type": "Succeed"}`),
			`found a name of 81 characters`},
		"state twice": {machine("Done", done, done), `States: Done: found twice`},
		"field twice": {state(`"Type": "Succeed", "Type": "Succeed"`),
			`state "S": Type: found twice`},
		"unknown field": {ending(`"Type": "Pass", "Results": 1`),
			`state "S": Results: unknown field`},
		"lower case": {ending(`"Type": "Pass", "resultPath": "$"`),
			`state "S": resultPath: unknown field`},
		"field of another": {ending(calling + `, "Seconds": 1`),
			`state "S": Seconds: unknown field`},
		"Assign": {ending(calling + `, "Assign": {"x": 1}`),
			`state "S": Assign: unknown field`},
		"Catch on Wait": {ending(`"Type": "Wait", "Seconds": 1, "Catch": []`),
			`state "S": Catch: unknown field`},
		"bad Next": {state(`"Type": "Pass", "Next": "Gone"`),
			`state "S": Next: there is no state "Gone"`},
		"no Next": {state(`"Type": "Pass"`), `state "S": Next, End: found none`},
		"Next and End": {ending(`"Type": "Pass", "Next": "S"`),
			`state "S": Next, End: found together`},
		"End false": {state(`"Type": "Pass", "End": false`), `state "S": End: found false`},
		"Next on Succeed": {state(`"Type": "Succeed", "Next": "S"`),
			`state "S": Next: unknown field`},
		"unreachable": {machine("Done", done, `"Island": {"Type": "Succeed"}`),
			`state "Island": no other state leads here`},
		"unreachable loop": {machine("Done", done, `"A": {"Type": "Pass", "Next": "B"}`,
			`"B": {"Type": "Pass", "Next": "A"}`), `state "A": no other`},
		"resource": {ending(`"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": {"FunctionName": "f"}`), `state "S": Resource: found "arn:aws:states:::sns:publish"`},
		"no resource": {ending(`"Type": "Task", "Parameters": {"FunctionName": "f"}`),
			`state "S": Resource: found ""`},
		"no function": {ending(`"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"`),
			`state "S": Parameters: FunctionName: missing`},
		"unknown parameter": {ending(strings.Replace(calling, `"f"`, `"f", "Qualifier": "a"`, 1)),
			`state "S": Parameters: Qualifier: unknown field`},
		"token not passed": {ending(strings.Replace(calling, "invoke", "invoke.waitForTaskToken", 1)),
			`state "S": Parameters: $$.Task.Token must be passed`},
		"token where none is": {ending(strings.Replace(token, ".waitForTaskToken", "", 1)),
			`state "S": Parameters: $$.Task.Token must be passed`},
		"list of parameters": {ending(`"Type": "Pass", "Parameters": [1]`),
			`state "S": Parameters: found [1], expected an object`},
		"intrinsic": {ending(`"Type": "Pass", "Parameters": {"x.$": "States.UUID()"}`),
			`state "S": Parameters.x.$: found "States.UUID()": intrinsic functions`},
		"not a path": {ending(`"Type": "Pass", "Parameters": {"a": [{"x.$": "name"}]}`),
			`state "S": Parameters.a[0].x.$: found "name"`},
		"path of a number": {ending(`"Type": "Pass", "Parameters": {"x.$": 1}`),
			`state "S": Parameters.x.$: found 1`},
		"field and path": {ending(`"Type": "Pass", "Parameters": {"x": 1, "x.$": "$"}`),
			`state "S": Parameters.x.$: found beside x`},
		"unparsable path": {ending(`"Type": "Pass", "InputPath": "$.a["`),
			`state "S": InputPath: found "$.a["`},
		"filter": {ending(`"Type": "Pass", "InputPath": "$.a[?(@.b==1)]"`),
			`state "S": InputPath: found "$.a[?(@.b==1)]": filters`},
		"context": {ending(`"Type": "Pass", "InputPath": "$$.Execution.Nam"`),
			`state "S": InputPath: found "$$.Execution.Nam", which the context object does not have`},
		"not a reference": {ending(`"Type": "Pass", "ResultPath": "$.a[*]"`),
			`state "S": ResultPath: found "$.a[*]", expected a reference path`},
		"from the end": {ending(`"Type": "Pass", "ResultPath": "$.a[-1]"`),
			`state "S": ResultPath: found "$.a[-1]", expected a reference path`},
		"result in context": {ending(`"Type": "Pass", "ResultPath": "$$.Execution.Input"`),
			`state "S": ResultPath: found "$$.Execution.Input", expected a reference path`},
		"path not a string": {ending(`"Type": "Pass", "OutputPath": 1`),
			`state "S": OutputPath: found 1, expected a string`},

		"timeout zero": {ending(calling + `, "TimeoutSeconds": 0`),
			`state "S": TimeoutSeconds: found 0`},
		"timeout null": {ending(calling + `, "TimeoutSeconds": null`),
			`state "S": TimeoutSeconds: found null`},
		"timeout twice": {ending(calling + `, "TimeoutSeconds": 1, "TimeoutSecondsPath": "$.t"`),
			`state "S": TimeoutSeconds, TimeoutSecondsPath: found together`},
		"heartbeat too long": {ending(token + `, "TimeoutSeconds": 5, "HeartbeatSeconds": 5`),
			`state "S": HeartbeatSeconds: found 5, expected less than TimeoutSeconds, 5`},
		"heartbeat of no one": {ending(calling + `, "HeartbeatSeconds": 5`),
			`state "S": HeartbeatSeconds: nobody can send`},
		"no ErrorEquals": {ending(calling + `, "Retry": [{}]`),
			`state "S": Retry[0]: ErrorEquals: found no error name`},
		"empty Retry": {ending(calling + `, "Retry": []`),
			`state "S": Retry: found an empty list`},
		"ALL not last":  {ending(calling + `, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]`), `state "S": Retry[0]: ErrorEquals: States.ALL must stand alone`},
		"ALL not alone": {ending(calling + `, "Catch": [{"ErrorEquals": ["E", "States.ALL"], "Next": "S"}]`), `state "S": Catch[0]: ErrorEquals: States.ALL must stand alone`},
		"reserved name": {ending(calling + `, "Retry": [{"ErrorEquals": ["States.Oops"]}]`),
			`state "S": Retry[0]: ErrorEquals: found "States.Oops"`},
		"States.Runtime": {ending(calling + `, "Retry": [{"ErrorEquals": ["States.Runtime"]}]`),
			`state "S": Retry[0]: ErrorEquals: found "States.Runtime"`},
		"interval":             {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 0}]`), `state "S": Retry[0]: IntervalSeconds: found 0`},
		"half an interval":     {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 1.5}]`), `state "S": Retry[0]: IntervalSeconds: found 1.5`},
		"attempts":             {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": -1}]`), `state "S": Retry[0]: MaxAttempts: found -1`},
		"backoff":              {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "BackoffRate": 0.5}]`), `state "S": Retry[0]: BackoffRate: found 0.5`},
		"delay below interval": {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 9, "MaxDelaySeconds": 9}]`), `state "S": Retry[0]: MaxDelaySeconds: found 9`},
		"jitter":               {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "JitterStrategy": "HALF"}]`), `state "S": Retry[0]: JitterStrategy: found "HALF"`},
		"unknown in Retry": {ending(calling + `, "Retry": [{"ErrorEquals": ["E"], "Next": "S"}]`),
			`state "S": Retry[0]: Next: unknown field`},
		"Catch without Next": {ending(calling + `, "Catch": [{"ErrorEquals": ["E"]}]`),
			`state "S": Catch[0]: Next: missing`},
		"Catch to nowhere": {ending(calling + `, "Catch": [{"ErrorEquals": ["E"], "Next": "Gone"}]`),
			`state "S": Catch[0].Next: there is no state "Gone"`},
		"Catch not reference": {ending(calling + `, "Catch": [{"ErrorEquals": ["E"], "Next": "S", "ResultPath": "$.*"}]`), `state "S": Catch[0]: ResultPath: found "$.*"`},

		"wait for nothing": {ending(`"Type": "Wait"`),
			`state "S": Seconds, SecondsPath, Timestamp, TimestampPath: found none`},
		"wait for two": {ending(`"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s"`),
			`state "S": Seconds, SecondsPath: found together`},
		"wait backwards": {ending(`"Type": "Wait", "Seconds": -1`), `state "S": Seconds: found -1`},
		"wait for some day": {ending(`"Type": "Wait", "Timestamp": "tomorrow"`),
			`state "S": Timestamp: found "tomorrow"`},
		"two errors": {state(`"Type": "Fail", "Error": "E", "ErrorPath": "$.e"`),
			`state "S": Error, ErrorPath: found together`},
		"Fail with paths": {state(`"Type": "Fail", "InputPath": "$"`),
			`state "S": InputPath: unknown field`},

		"no Choices": {state(`"Type": "Choice"`), `state "S": Choices: missing`},
		"Next on Choice": {state(`"Type": "Choice", "Choices": [], "Next": "S"`),
			`state "S": Next: unknown field`},
		"bad Default": {machine("S", `"S": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "S"}], "Default": "Gone"}`), `state "S": Default: there is no state "Gone"`},
		"rule without Next": {state(`"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true}]`),
			`state "S": Choices[0]: Next: missing`},
		"rule to nowhere": {state(`"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Gone"}]`), `state "S": Choices[0].Next: there is no state "Gone"`},
		"Next within a rule": {rule(`"Not": {"Variable": "$.a", "IsNull": true, "Next": "Done"}`),
			`state "S": Choices[0].Not: Next: unknown field`},
		"no operator": {rule(`"Variable": "$.a"`),
			`state "S": Choices[0]: found 0 comparison operators`},
		"two operators": {rule(`"Variable": "$.a", "IsNull": true, "IsString": true`),
			`state "S": Choices[0]: found 2 comparison operators [IsNull IsString]`},
		"unknown operator": {rule(`"Variable": "$.a", "IsNull": true, "IsBig": true`),
			`state "S": Choices[0]: IsBig: unknown field`},
		"no variable": {rule(`"IsNull": true`),
			`state "S": Choices[0]: And, Or, Not, Variable: found none`},
		"And and Or": {rule(`"And": [], "Or": []`),
			`state "S": Choices[0]: And, Or: found together`},
		"operand": {rule(`"Variable": "$.a", "NumericEquals": "1"`),
			`state "S": Choices[0]: NumericEquals: found "1", expected a number`},
		"operand path": {rule(`"Variable": "$.a", "NumericEqualsPath": 1`),
			`state "S": Choices[0]: NumericEqualsPath: found 1`},
		"operand time": {rule(`"Variable": "$.a", "TimestampEquals": "noon"`),
			`state "S": Choices[0]: TimestampEquals: found "noon"`},
		"no such variant": {rule(`"Variable": "$.a", "StringMatchesPath": "$.b"`),
			`state "S": Choices[0]: found 0 comparison operators`},
		"inner rule": {rule(`"Or": [{"Variable": "a", "IsNull": true}]`),
			`state "S": Choices[0].Or[0]: Variable: found "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(c.definition)
			if err == nil || m != nil {
				t.Fatalf("Parse(%s) accepted it, expected %s", c.definition, c.want)
			}

			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse said:\n%v\nexpected: %s", err, c.want)
			}
		})
	}
}

func TestParse_NamesEveryProblem(t *testing.T) {
	_, err := Parse(machine("A", `"A": {"Type": "Pass", "Next": "A", "X": 1}`,
		`"B": {"Type": "Wait", "Next": "A"}`))
	for _, want := range []string{`state "A": X:`, `state "B": Seconds`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse said %v, expected %s too", err, want)
		}
	}
}

// FuzzParse checks that Parse never panics, and accepts no definition without a first state.
func FuzzParse(f *testing.F) {
	if release, err := os.ReadFile("../release.asl.json"); err == nil {
		f.Add(string(release))
	}

	f.Add(machine("T", waitsForToken(`, "HeartbeatSeconds": 4, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]`), done))
	f.Add(machine("C", `"C": {"Type": "Choice", "Choices": [{"Not": {"Variable": "$.a[0]", "IsPresent": true}, "Next": "Done"}]}`, done))
	f.Add(machine("W", `"W": {"Type": "Wait", "SecondsPath": "$..a['b',0][1:2]", "End": true}`))
	f.Fuzz(func(t *testing.T, definition string) {
		m, err := Parse(definition)
		if (m == nil) == (err == nil) {
			t.Fatalf("found machine %v and error %v, expected one of them", m, err)
		}

		if m != nil && m.states[m.startAt] == nil {
			t.Fatal("accepted a machine without a first state")
		}
	})
}
