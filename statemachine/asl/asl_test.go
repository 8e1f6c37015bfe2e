package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world runs a definition and records what happened.
type world struct {
	Execution
	events []Event

	mu       sync.Mutex
	payloads []string
}

func newWorld(input string, invoke func(function string, payload string) (string, error)) *world {
	w := &world{}
	w.Execution = Execution{
		ID: "arn:aws:states:us-east-1:123456789012:execution:release:one", Name: "one",
		Input: json.RawMessage(input), StartTime: time.Now(),
		StateMachine: StateMachine{"arn:aws:states:us-east-1:123456789012:stateMachine:release",
			"release"},
		Tokens: &Tokens{},
		Record: func(e Event) { w.events = append(w.events, e) },
		Invoke: func(_ context.Context, function string, payload json.RawMessage) (json.RawMessage,
			error) {
			w.mu.Lock()
			w.payloads = append(w.payloads, string(payload))
			w.mu.Unlock()

			output, err := invoke(function, string(payload))

			return json.RawMessage(output), err
		},
	}

	return w
}

func (w *world) run(t *testing.T, definition string) Result {
	t.Helper()

	m, err := Parse(definition)
	if err != nil {
		t.Fatal(err)
	}

	return m.Run(t.Context(), w.Execution)
}

// token is the token that the call with this number was handed, from 0.
func (w *world) token(call int) string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return tokenOf(w.payloads[call])
}

// tokenOf is the token in a payload that waitsForToken makes.
func tokenOf(payload string) string {
	var p struct{ Token string }

	_ = json.Unmarshal([]byte(payload), &p)

	return p.Token
}

func (w *world) types() string {
	var types []string
	for _, e := range w.events {
		types = append(types, e.Type)
	}

	return strings.Join(types, " ")
}

// machine puts states into a definition; the first one starts.
func machine(start string, states ...string) string {
	return fmt.Sprintf(`{"StartAt": %q, "States": {%s}}`, start, strings.Join(states, ","))
}

// invokes is a task named T that ends the execution, with more fields.
func invokes(more string) string {
	return `"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", ` +
		`"Parameters": {"FunctionName": "f", "Payload.$": "$"}, "End": true` + more + `}`
}

func waitsForToken(more string) string {
	return `"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", ` +
		`"Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}}, "End": true` +
		more + `}`
}

const done = `"Done": {"Type": "Succeed"}`

func echo(_, payload string) (string, error) { return payload, nil }

func expect(t *testing.T, what string, got, want any) {
	t.Helper()

	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func ended(r Result) string {
	if r.Status == Succeeded {
		return string(r.Output)
	}

	return fmt.Sprintf("%s %s", r.Status, r.Error)
}

func TestTask_DataFlow(t *testing.T) {
	for name, c := range map[string]struct{ input, fields, want string }{
		"raw result":      {`{"a":1}`, ``, `{"ExecutedVersion":"$LATEST","Payload":{"a":1},"StatusCode":200}`},
		"OutputPath":      {`{"a":1}`, `, "OutputPath": "$.Payload"`, `{"a":1}`},
		"OutputPath null": {`{"a":1}`, `, "OutputPath": null`, `{}`},
		"InputPath": {`{"a":{"b":2}}`, `, "InputPath": "$.a", "OutputPath": "$.Payload"`,
			`{"b":2}`},
		"ResultPath":         {`{"a":1}`, `, "ResultSelector": {"p.$": "$.Payload.a"}, "ResultPath": "$.r.s"`, `{"a":1,"r":{"s":{"p":1}}}`},
		"ResultPath null":    {`{"a":1}`, `, "ResultPath": null`, `{"a":1}`},
		"ResultPath element": {`{"a":[1,2]}`, `, "ResultSelector": {"code.$": "$.StatusCode"}, "ResultPath": "$.a[1]"`, `{"a":[1,{"code":200}]}`},
		"great numbers": {`{"a":9007199254740993}`, `, "OutputPath": "$.Payload"`,
			`{"a":9007199254740993}`},
		"several":            {`{"a":[{"b":1},{"b":2}]}`, `, "OutputPath": "$.Payload.a[*].b"`, `[1,2]`},
		"context":            {`{}`, `, "ResultSelector": {"n.$": "$$.Execution.Name", "s.$": "$$.State.Name"}`, `{"n":"one","s":"T"}`},
		"InputPath missing":  {`{}`, `, "InputPath": "$.x"`, "FAILED States.Runtime"},
		"OutputPath missing": {`{}`, `, "OutputPath": "$.x"`, "FAILED States.Runtime"},
		"ResultPath misfit":  {`"text"`, `, "ResultPath": "$.x"`, "FAILED States.ResultPathMatchFailure"},
		"selector missing":   {`{}`, `, "ResultSelector": {"x.$": "$.x"}`, "FAILED States.Runtime"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, "end", ended(newWorld(c.input, echo).run(t, machine("T", invokes(c.fields)))), c.want)
		})
	}
}

func TestTask_NamesTheMissingPath(t *testing.T) {
	w := newWorld(`{"a":"<b>"}`, echo)
	result := w.run(t, machine("T", `"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
		"Parameters": {"FunctionName": "f", "Payload": {"x.$": "$.missing"}},
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]}`, done))
	expect(t, "end", ended(result), "FAILED States.Runtime")
	expect(t, "cause", result.Cause, "An error occurred while executing the state 'T' (entered at the event id #2). "+
		"The JSONPath '$.missing' specified for the field 'x.$' could not be found in the input '{\"a\":\"<b>\"}'")
}

func TestTask_LambdaErrors(t *testing.T) {
	cause := `{"errorMessage":"no","errorType":"StaleWrite"}`
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"named":   {fmt.Errorf("invoke: %w", &TaskError{Name: "StaleWrite", Cause: cause}), "StaleWrite"},
		"blank":   {&TaskError{Cause: cause}, "Lambda.Unknown"},
		"foreign": {errors.New("no"), "Lambda.Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(`{"a":1}`, func(string, string) (string, error) { return "", c.err })
			result := w.run(t, machine("T", invokes(`, "OutputPath": "$.Payload",
				"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Done"}]`), done))

			var output struct {
				A       int
				Failure struct{ Error, Cause string }
			}
			if err := json.Unmarshal(result.Output, &output); err != nil || output.A != 1 {
				t.Fatalf("output %s: %v", result.Output, err)
			}

			expect(t, "error", output.Failure.Error, c.want)

			if c.want == "StaleWrite" {
				expect(t, "cause", output.Failure.Cause, cause)
			}
		})
	}
}

func TestRun_MonthOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		until := start.Add(31 * 24 * time.Hour)
		w := newWorld(fmt.Sprintf(`{"s": 60, "t": %q}`, until.Add(time.Minute).Format(time.RFC3339)),
			echo)
		result := w.run(t, machine("A",
			fmt.Sprintf(`"A": {"Type": "Wait", "Timestamp": %q, "Next": "B"}`, until.Format(time.RFC3339)),
			`"B": {"Type": "Wait", "TimestampPath": "$.t", "Next": "C"}`,
			`"C": {"Type": "Wait", "SecondsPath": "$.s", "Next": "D"}`,
			`"D": {"Type": "Wait", "Seconds": 0, "Next": "Done"}`, done))
		expect(t, "status", result.Status, Succeeded)
		expect(t, "time", time.Since(start), 31*24*time.Hour+2*time.Minute)
	})
}

func TestWait_BadData(t *testing.T) {
	for _, fields := range []string{`"SecondsPath": "$.x"`, `"SecondsPath": "$.text"`,
		`"SecondsPath": "$.less"`,
		`"SecondsPath": "$.half"`, `"TimestampPath": "$.text"`} {
		w := newWorld(`{"text": "soon", "less": -1, "half": 0.5}`, echo)
		result := w.run(t, machine("W", `"W": {"Type": "Wait", `+fields+`, "End": true}`))
		expect(t, fields, ended(result), "FAILED States.Runtime")
	}
}

func TestPass_Shapes(t *testing.T) {
	for fields, want := range map[string]string{
		``:                   `{"a":1}`,
		`"Result": null,`:    `null`,
		`"Result": {"b":2},`: `{"b":2}`,
		`"Parameters": {"b.$": "$.a", "c": [{"d.$": "$$.Execution.Input"}]},`: `{"b":1,"c":[{"d":{"a":1}}]}`,
		`"Result": 2, "ResultPath": "$.b",`:                                   `{"a":1,"b":2}`,
	} {
		expect(t, fields, ended(newWorld(`{"a":1}`, echo).run(t,
			machine("P", `"P": {"Type": "Pass", `+fields+` "End": true}`))), want)
	}
}

func TestFail_ErrorAndCause(t *testing.T) {
	for fields, want := range map[string]string{
		`"Error": "E", "Cause": "because"`:                     "FAILED E because",
		`"ErrorPath": "$.e", "CausePath": "$$.Execution.Name"`: "FAILED F one",
		`"Comment": "neither"`:                                 "FAILED  ",
	} {
		result := newWorld(`{"e":"F"}`, echo).run(t, machine("F", `"F": {"Type": "Fail", `+fields+`}`))
		expect(t, fields, ended(result)+" "+result.Cause, want)
	}

	result := newWorld(`{}`, echo).run(t, machine("F", `"F": {"Type": "Fail", "ErrorPath": "$.e"}`))
	expect(t, "missing", ended(result), "FAILED States.Runtime")
}

func TestRun_Limits(t *testing.T) {
	large := `"` + strings.Repeat("x", MaxPayload) + `"`

	t.Run("result", func(t *testing.T) {
		w := newWorld(`{}`, func(string, string) (string, error) { return large, nil })
		result := w.run(
			t, machine("T", invokes(`, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]`), done))
		expect(t, "end", ended(result), "FAILED States.DataLimitExceeded")
	})
	t.Run("parameters", func(t *testing.T) {
		half := `"` + strings.Repeat("x", MaxPayload*2/3) + `"`
		result := newWorld(half, echo).run(t, machine("T", `"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
			"Parameters": {"FunctionName": "f", "Payload": {"a.$": "$", "b.$": "$"}}, "End": true}`))
		expect(t, "end", ended(result), "FAILED States.DataLimitExceeded")
	})
	t.Run("output", func(t *testing.T) {
		half := `"` + strings.Repeat("x", MaxPayload*2/3) + `"`
		result := newWorld(half, echo).run(t, machine("P",
			`"P": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true}`))
		expect(t, "end", ended(result), "FAILED States.DataLimitExceeded")
	})
	t.Run("history", func(t *testing.T) {
		w := newWorld(`{}`, echo)
		result := w.run(t, machine("P", `"P": {"Type": "Pass", "Next": "P"}`))
		expect(t, "end", ended(result), "FAILED States.Runtime")
		expect(t, "cause", result.Cause, "The execution reached the maximum number of history events (25000).")
		expect(t, "events", len(w.events), MaxEvents)
		expect(t, "last", w.events[MaxEvents-1].Type, "ExecutionFailed")
	})
}

func TestRun_StopsAtOnce(t *testing.T) {
	for name, state := range map[string]string{
		"task": invokes(`, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]`),
		"wait": `"T": {"Type": "Wait", "Seconds": 3600, "Next": "Done"}`,
		"retry": invokes(`, "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3600}],
			"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(`{}`, func(string, string) (string, error) {
					if name == "task" {
						time.Sleep(time.Hour)
					}

					return "", &TaskError{Name: "Busy"}
				})

				m, err := Parse(machine("T", state, done))
				if err != nil {
					t.Fatal(err)
				}

				ctx, stop := context.WithCancelCause(t.Context())

				time.AfterFunc(time.Minute, func() { stop(&Stopped{"Operator", "enough"}) })

				start := time.Now()

				expect(t, "result", m.Run(ctx, w.Execution), Result{Aborted, nil, "Operator", "enough"})
				expect(t, "time", time.Since(start), time.Minute)

				last := w.events[len(w.events)-1]
				expect(t, "last event", fmt.Sprint(last.Type, last.PreviousEventID), "ExecutionAborted0")
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestRun_TimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(`{}`, echo)
		result := w.run(t, `{"StartAt": "W", "TimeoutSeconds": 60, "States": {"W": {"Type": "Wait", "Seconds": 61, "End": true}}}`)
		expect(t, "status", result.Status, TimedOut)
		expect(t, "history", w.types(), "ExecutionStarted WaitStateEntered ExecutionTimedOut")
	})
}
