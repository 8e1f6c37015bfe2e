package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// failing answers with each error in turn, then with success.
func failing(calls *[]time.Duration, names ...string) func(string, string) (string, error) {
	start := time.Now()

	return func(string, string) (string, error) {
		*calls = append(*calls, time.Since(start))
		if n := len(*calls); n <= len(names) {
			return "", &TaskError{Name: names[n-1], Cause: "no"}
		}

		return `"ok"`, nil
	}
}

func TestRetry(t *testing.T) {
	s := time.Second
	for name, c := range map[string]struct {
		retry  string
		errors string
		calls  []time.Duration
		want   string
	}{
		"defaults": {`{"ErrorEquals": ["E"]}`, "E E E E", []time.Duration{0, s, 3 * s, 7 * s},
			"FAILED E"},
		"backoff": {`{"ErrorEquals": ["E"], "IntervalSeconds": 2, "BackoffRate": 1.5, "MaxAttempts": 2}`,
			"E E",
			[]time.Duration{0, 2 * s, 5 * s}, `"ok"`},
		"MaxDelaySeconds": {`{"ErrorEquals": ["E"], "MaxAttempts": 4, "MaxDelaySeconds": 3}`, "E E E E",
			[]time.Duration{0, s, 3 * s, 6 * s, 9 * s}, `"ok"`},
		"none": {`{"ErrorEquals": ["E"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}`, "E",
			[]time.Duration{0}, "FAILED E"},
		"other": {`{"ErrorEquals": ["E"]}`, "F", []time.Duration{0}, "FAILED F"},
		"counters apart": {`{"ErrorEquals": ["E"], "MaxAttempts": 1}, {"ErrorEquals": ["F"], "MaxAttempts": 1}`, "E F E",
			[]time.Duration{0, s, 2 * s}, "FAILED E"},
		"States.TaskFailed": {`{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1}`, "E",
			[]time.Duration{0, s}, `"ok"`},
		"first that fits": {`{"ErrorEquals": ["E"], "IntervalSeconds": 5}, {"ErrorEquals": ["States.ALL"]}`, "E F",
			[]time.Duration{0, 5 * s, 6 * s}, `"ok"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls []time.Duration

				w := newWorld(`{}`, failing(&calls, strings.Fields(c.errors)...))
				result := w.run(t, machine("T", invokes(`, "OutputPath": "$.Payload", "Retry": [`+c.retry+`]`)))
				expect(t, "calls", calls, c.calls)
				expect(t, "end", ended(result), c.want)
			})
		})
	}
}

func TestRetry_Jitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Duration

		w := newWorld(`{}`, failing(&calls, "E", "E"))
		w.run(t, machine("T", invokes(`, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]`)))

		first, second := calls[1], calls[2]-calls[1]
		if first >= 100*time.Second || second >= 200*time.Second || first == second {
			t.Errorf("waited %v and %v, expected less than 100s and 200s, at random", first, second)
		}
	})
}

func TestRetry_CountersBeginAnewWithTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Duration

		w := newWorld(`{}`, failing(&calls, "E", "F", "E", "F"))
		result := w.run(t, machine("T", invokes(`, "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}],
			"Catch": [{"ErrorEquals": ["F"], "Next": "Again"}]`), `"Again": {"Type": "Pass", "Next": "T"}`))
		expect(t, "status", result.Status, Succeeded)
		expect(t, "calls", len(calls), 5)
	})
}

func TestCatch(t *testing.T) {
	for name, c := range map[string]struct{ catch, err, want string }{
		"replaces": {`{"ErrorEquals": ["E"], "Next": "Done"}`, "E", `{"Cause":"no","Error":"E"}`},
		"ResultPath": {`{"ErrorEquals": ["E"], "ResultPath": "$.failure", "Next": "Done"}`, "E",
			`{"a":1,"failure":{"Cause":"no","Error":"E"}}`},
		"discards": {`{"ErrorEquals": ["E"], "ResultPath": null, "Next": "Done"}`, "E", `{"a":1}`},
		"all":      {`{"ErrorEquals": ["F"], "Next": "T"}, {"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Done"}`, "E", `{"a":1}`},
		"TaskFailed": {`{"ErrorEquals": ["States.TaskFailed"], "ResultPath": null, "Next": "Done"}`, "E",
			`{"a":1}`},
		"none": {`{"ErrorEquals": ["F"], "Next": "Done"}`, "E", "FAILED E"},
		"limit by name": {`{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": null, "Next": "Done"}`,
			"States.DataLimitExceeded", `{"a":1}`},
		"runtime": {`{"ErrorEquals": ["States.ALL"], "Next": "Done"}`, "States.Runtime",
			"FAILED States.Runtime"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(`{"a":1}`, func(string, string) (string, error) {
				return "",
					&TaskError{Name: c.err, Cause: "no"}
			})
			expect(t, "end", ended(w.run(t, machine("T", invokes(`, "Catch": [`+c.catch+`]`), done))),
				c.want)
		})
	}
}

func TestTask_Timeouts(t *testing.T) {
	catch := `, "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Wrong"}, {"ErrorEquals": [%q], "Next": "Done"}]`
	wrong := `"Wrong": {"Type": "Fail", "Error": "Wrong"}`

	for name, c := range map[string]struct {
		state, catches string
		after          time.Duration
	}{
		"TimeoutSeconds": {invokes(`, "TimeoutSeconds": 9` + fmt.Sprintf(catch, Timeout)), Timeout,
			9 * time.Second},
		"TimeoutSecondsPath": {invokes(`, "TimeoutSecondsPath": "$.t"` + fmt.Sprintf(catch, Timeout)),
			Timeout, 5 * time.Second},
		"HeartbeatSeconds": {waitsForToken(`, "TimeoutSeconds": 9, "HeartbeatSeconds": 4` +
			fmt.Sprintf(catch, Timeout)), Timeout, 4 * time.Second},
		"HeartbeatSecondsPath": {waitsForToken(`, "HeartbeatSecondsPath": "$.t"` +
			fmt.Sprintf(catch, HeartbeatTimeout)), HeartbeatTimeout, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				w := newWorld(`{"t":5}`, func(string, string) (string,
					error) {
					time.Sleep(time.Hour)
					return "1", nil
				})
				result := w.run(t, machine("T", c.state, wrong, done))
				expect(t, "end", ended(result), `{"Cause":"","Error":"States.Timeout"}`)
				expect(t, "time", time.Since(start), c.after)

				if !strings.Contains(w.types(), "TaskTimedOut TaskStateExited") {
					t.Errorf("history %s", w.types())
				}

				time.Sleep(time.Hour)
			})
		})
	}
}

func TestTask_TimeoutIsPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex
			calls []time.Duration
		)

		start := time.Now()
		w := newWorld(`{}`, func(string, string) (string, error) {
			mu.Lock()

			calls = append(calls, time.Since(start))
			mu.Unlock()
			time.Sleep(time.Minute)

			return "1", nil
		})
		result := w.run(t, machine("T", invokes(`, "TimeoutSeconds": 10, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]`)))
		expect(t, "end", ended(result), "FAILED States.Timeout")
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, "calls", calls, []time.Duration{0, 11 * time.Second})
	})
}

func TestTokens_AnswerBeforeInvokeReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *world

		w = newWorld(`{}`, func(_, payload string) (string, error) {
			if err := w.Tokens.Succeed(tokenOf(payload), json.RawMessage(`{"next":"sync"}`)); err != nil {
				t.Error(err)
			}

			time.Sleep(time.Second)

			return "", errors.New("crashed after it had answered")
		})
		expect(t, "end", ended(w.run(t, machine("T", waitsForToken("")))), `{"next":"sync"}`)
		time.Sleep(time.Second)
	})
}

func TestTokens_AreGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(`{}`, func(string, string) (string, error) { return "null", nil })

		time.AfterFunc(time.Minute, func() {
			expect(t, "fail", w.Tokens.Fail(w.token(0), "Busy", ""), nil)
			expect(t, "second send", w.Tokens.Succeed(w.token(0), json.RawMessage("1")), ErrTaskTimedOut)
			expect(t, "unknown", w.Tokens.Succeed("x", json.RawMessage("1")), ErrInvalidToken)
		})
		time.AfterFunc(time.Hour, func() {
			expect(t, "heartbeat", w.Tokens.Heartbeat(w.token(1)), nil)
			expect(t, "succeed", w.Tokens.Succeed(w.token(1), json.RawMessage("1")), nil)
		})

		result := w.run(t, machine("T", waitsForToken(`, "Retry": [{"ErrorEquals": ["Busy"]}]`)))
		expect(t, "end", ended(result), "1")
		expect(t, "a new token for a retried task", w.token(0) != w.token(1), true)
		expect(t, "after the end", w.Tokens.Heartbeat(w.token(1)), ErrTaskTimedOut)
		expect(t, "history", w.types(), "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskFailed "+
			"TaskScheduled TaskStarted TaskSubmitted TaskSucceeded TaskStateExited ExecutionSucceeded")
	})
}

func TestTokens_Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(`{}`, func(string, string) (string, error) { return "null", nil })

		for _, after := range []time.Duration{3, 6, 9} {
			time.AfterFunc(after*time.Second, func() {
				expect(t, "heartbeat", w.Tokens.Heartbeat(w.token(0)),
					nil)
			})
		}

		start := time.Now()
		result := w.run(t, machine("T", waitsForToken(`, "HeartbeatSeconds": 4`)))
		expect(t, "end", ended(result), "FAILED States.Timeout")
		expect(t, "time", time.Since(start), 13*time.Second)
		expect(t, "late", w.Tokens.Succeed(w.token(0), json.RawMessage("1")), ErrTaskTimedOut)
	})
}

func TestTokens_FailingInvokeFailsTheTask(t *testing.T) {
	w := newWorld(`{}`, func(string, string) (string, error) {
		return "",
			&TaskError{Name: "StaleWrite", Cause: "no"}
	})
	expect(t, "end", ended(w.run(t, machine("T", waitsForToken("")))), "FAILED StaleWrite")
	expect(t, "late", w.Tokens.Succeed(w.token(0), json.RawMessage("1")), ErrTaskTimedOut)
}

func TestHistory(t *testing.T) {
	w := newWorld(`{"a":1}`, echo)
	w.run(t, machine("T", `"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 900,
		"Parameters": {"FunctionName": "f", "Payload.$": "$"}, "OutputPath": "$.Payload", "Next": "C"}`,
		`"C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "P"}]}`,
		`"P": {"Type": "Pass", "Next": "Done"}`, done))

	var lines []string

	for _, e := range w.events {
		e.Timestamp = time.Time{}
		line, _ := json.Marshal(e)
		lines = append(lines, string(line))
	}

	resource := `"resourceType":"lambda","resource":"invoke"`
	input, output := `"input":"{\"a\":1}","inputDetails":{"truncated":false}`, `"output":"{\"a\":1}","outputDetails":{"truncated":false}`
	expect(t, "history", strings.Join(lines, "\n"), strings.Join([]string{
		`{"id":1,"previousEventId":0,"type":"ExecutionStarted","executionStartedEventDetails":{` + input +
			`}}`,
		`{"id":2,"previousEventId":0,"type":"TaskStateEntered","stateEnteredEventDetails":{"name":"T",` +
			input + `}}`,
		`{"id":3,"previousEventId":2,"type":"TaskScheduled","taskScheduledEventDetails":{` + resource +
			`,"region":"us-east-1","parameters":"{\"FunctionName\":\"f\",\"Payload\":{\"a\":1}}","timeoutInSeconds":900}}`,
		`{"id":4,"previousEventId":3,"type":"TaskStarted","taskStartedEventDetails":{` + resource + `}}`,
		`{"id":5,"previousEventId":4,"type":"TaskSucceeded","taskSucceededEventDetails":{` + resource +
			`,"output":"{\"ExecutedVersion\":\"$LATEST\",\"Payload\":{\"a\":1},\"StatusCode\":200}","outputDetails":{"truncated":false}}}`,
		`{"id":6,"previousEventId":5,"type":"TaskStateExited","stateExitedEventDetails":{"name":"T",` +
			output + `}}`,
		`{"id":7,"previousEventId":6,"type":"ChoiceStateEntered","stateEnteredEventDetails":{"name":"C",` + input + `}}`,
		`{"id":8,"previousEventId":7,"type":"ChoiceStateExited","stateExitedEventDetails":{"name":"C",` +
			output + `}}`,
		`{"id":9,"previousEventId":8,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"P",` +
			input + `}}`,
		`{"id":10,"previousEventId":9,"type":"PassStateExited","stateExitedEventDetails":{"name":"P",` +
			output + `}}`,
		`{"id":11,"previousEventId":10,"type":"SucceedStateEntered","stateEnteredEventDetails":{"name":"Done",` + input + `}}`,
		`{"id":12,"previousEventId":11,"type":"SucceedStateExited","stateExitedEventDetails":{"name":"Done",` + output + `}}`,
		`{"id":13,"previousEventId":12,"type":"ExecutionSucceeded","executionSucceededEventDetails":{` +
			output + `}}`,
	}, "\n"))
}
