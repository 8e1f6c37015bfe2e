package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// errand has everything that takes time: a wait, a function that fails once, a token that is
// answered after a minute, one that nobody answers in time, and a wait until a given time.
var errand = machine("W",
	`"W": {"Type": "Wait", "Seconds": 60, "Next": "Work"}`,
	`"Work": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "work", "Payload.$": "$"},
		"ResultSelector": {"n.$": "$.Payload.n"}, "ResultPath": "$.work", "Next": "Look",
		"Retry": [{"ErrorEquals": ["Busy", "Runtime.ExitError"], "IntervalSeconds": 30, "MaxAttempts": 5}]}`,
	`"Look": {"Type": "Choice", "Choices": [{"Variable": "$.work.n", "NumericEquals": 1, "Next": "Ask"}], "Default": "Wrong"}`,
	`"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters": {"FunctionName": "ask", "Payload": {"deep": [{"token.$": "$$.Task.Token"}]}}, "ResultPath": "$.answer", "Next": "Late",
		"Retry": [{"ErrorEquals": ["Runtime.ExitError"]}]}`,
	`"Late": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 90,
		"Parameters": {"FunctionName": "never", "Payload": {"task.$": "$$.Task"}}, "Next": "Wrong",
		"Retry": [{"ErrorEquals": ["Runtime.ExitError"]}],
		"Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.late", "Next": "Until"}]}`,
	`"Until": {"Type": "Wait", "TimestampPath": "$.until", "Next": "P"}`,
	`"P": {"Type": "Pass", "Result": true, "ResultPath": "$.passed", "Next": "Done"}`, done,
	`"Wrong": {"Type": "Fail", "Error": "Wrong"}`)

// outage is a process that dies as the machine records an event, and another one that continues
// after a while.
type outage struct {
	at     int // the event; 0 for none
	events []Event
	tokens atomic.Pointer[Tokens]
	dead   context.CancelCauseFunc
	fell   atomic.Bool
	worked int
}

func (o *outage) invoke(ctx context.Context, function string,
	payload json.RawMessage) (json.RawMessage, error) {
	time.Sleep(2 * time.Second)

	if o.fell.Load() { // with the process that called it
		return nil, errors.New("nobody hears this")
	}

	switch function {
	case "work":
		if o.worked++; o.worked == 1 {
			return nil, &TaskError{Name: "Busy"}
		}

		return json.RawMessage(`{"n":1}`), nil
	case "ask":
		var in struct{ Deep []struct{ Token string } }
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, err
		}

		time.AfterFunc(time.Minute, func() {
			for o.fell.Load() { // a schedule that is overdue
				time.Sleep(time.Second)
			}

			_ = o.tokens.Load().Succeed(in.Deep[0].Token, json.RawMessage(`"yes"`))
		})
	}

	return json.RawMessage("null"), nil
}

func (o *outage) run(t *testing.T, m *Machine) Result {
	e := newWorld(`{"until":"2000-01-01T01:00:00Z"}`, echo).Execution

	o.tokens.Store(&Tokens{})
	e.Invoke, e.Tokens = o.invoke, o.tokens.Load()
	e.Record = func(event Event) {
		if o.fell.Load() {
			return
		}

		o.events = append(o.events, event)
		if len(o.events) == o.at {
			o.fell.Store(true)
			o.dead(errors.New("killed"))
		}
	}
	ctx, dead := context.WithCancelCause(t.Context())
	o.dead = dead

	result := m.Run(ctx, e)
	if !o.fell.Load() {
		return result
	}

	time.Sleep(5 * time.Second)

	kept, err := json.Marshal(o.tokens.Load().Save())
	if err != nil {
		t.Fatal(err)
	}

	var tokens []Token
	if err := json.Unmarshal(kept, &tokens); err != nil {
		t.Fatal(err)
	}

	after := &Tokens{}
	after.Load(tokens)
	o.tokens.Store(after)
	e.Tokens, e.Past, o.at = after, o.events, 0
	o.fell.Store(false)

	return m.Run(t.Context(), e)
}

// A run that is cut short at any event, and continued, ends as one that was not. Its waits end when
// they would have.
func TestRun_GoesOnAfterAnyEvent(t *testing.T) {
	m, err := Parse(errand)
	if err != nil {
		t.Fatal(err)
	}

	var (
		whole outage
		want  string
		takes time.Duration
	)

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		want = ended(whole.run(t, m))
		takes = time.Since(began)
	})
	expect(t, "end", want, `{"answer":"yes","late":{"Cause":"","Error":"States.Timeout"},"passed":true,"until":"2000-01-01T01:00:00Z","work":{"n":1}}`)

	for n, event := range whole.events {
		t.Run(fmt.Sprintf("%d %s", event.ID, event.what()), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, o := time.Now(), &outage{at: n + 1}
				expect(t, "end", ended(o.run(t, m)), want)

				if took := time.Since(began); n < len(whole.events)-6 && took != takes {
					t.Errorf("took %s, expected %s", took, takes)
				}

				for i, e := range o.events {
					if e.ID != int64(i+1) {
						t.Fatalf("event %d of the history has the id %d", i+1, e.ID)
					}
				}

				time.Sleep(time.Hour)
			})
		})
	}
}

// Waits and timeouts count from the times in the history.
func TestRun_TimesOfThePast(t *testing.T) {
	for name, c := range map[string]struct {
		definition string
		cut        string
		after      time.Duration
		want       string
	}{
		"a wait": {machine("W", `"W": {"Type": "Wait", "Seconds": 60, "Next": "Done"}`,
			done), "WaitStateEntered", time.Minute, `{}`},
		"a wait that is over": {machine("W", `"W": {"Type": "Wait", "Seconds": 3, "Next": "Done"}`, done),
			"WaitStateEntered", 5 * time.Second, `{}`},
		"a timeout": {machine("T", waitsForToken(`, "TimeoutSeconds": 90`)), "TaskSubmitted",
			90 * time.Second, "FAILED States.Timeout"},
		"missed heartbeats": {machine("T", waitsForToken(`, "TimeoutSeconds": 90, "HeartbeatSeconds": 20, "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Done"}]`), done),
			"TaskTimedOut", 20 * time.Second, `{"Cause":"","Error":"States.Timeout"}`},
		"the time of the execution": {`{"StartAt": "W", "TimeoutSeconds": 60, "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}}`, "WaitStateEntered", time.Minute, "TIMED_OUT "},
		"a call":                    {machine("T", invokes(`, "TimeoutSeconds": 4, "OutputPath": "$.Payload", "Retry": [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1}]`)), "TaskStarted", 6 * time.Second, "null"},
		"a retry":                   {machine("T", invokes(`, "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 30, "MaxAttempts": 1}]`)), "TaskFailed", 30 * time.Second, "FAILED Busy"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := Parse(c.definition)
				if err != nil {
					t.Fatal(err)
				}

				began := time.Now()
				w := newWorld(`{}`, func(function, _ string) (string, error) {
					if c.cut == "TaskFailed" {
						return "", &TaskError{Name: "Busy"}
					}

					return "null", nil
				})
				ctx, die := context.WithCancel(t.Context())
				record := w.Record
				w.Record = func(e Event) {
					if ctx.Err() == nil {
						record(e)
					}

					if e.Type == c.cut {
						die()
					}
				}
				m.Run(ctx, w.Execution)

				if last := w.events[len(w.events)-1]; last.Type != c.cut {
					t.Fatalf("cut short after %s", last.Type)
				}

				if c.cut != "TaskTimedOut" {
					time.Sleep(5 * time.Second)
				}

				w.Past, w.Record = w.events, record
				expect(t, "end", ended(m.Run(t.Context(), w.Execution)), c.want)
				expect(t, "time", time.Since(began), c.after)
			})
		})
	}
}

// An accepted answer counts, though the process dies before the task receives it.
func TestTokens_AnAcceptedAnswerIsKept(t *testing.T) {
	for name, answer := range map[string]func(*Tokens, string) error{
		"yes": func(k *Tokens, token string) error { return k.Succeed(token, json.RawMessage(`"yes"`)) },
		"no":  func(k *Tokens, token string) error { return k.Fail(token, "AlarmBreached", "it rings") },
	} {
		synctest.Test(t, func(t *testing.T) {
			m, err := Parse(machine("T", waitsForToken("")))
			if err != nil {
				t.Fatal(err)
			}

			w := newWorld(`{}`, func(string, string) (string, error) { return "null", nil })

			ctx, die := context.WithCancel(t.Context())
			go m.Run(ctx, w.Execution)

			synctest.Wait()

			history := w.events

			die()

			w.Record = func(Event) {}

			synctest.Wait()

			token := w.token(0)
			kept := &Tokens{}
			kept.Load([]Token{{Token: token}})
			expect(t, "answer", answer(kept, token), nil)

			w.Tokens = &Tokens{}
			w.Tokens.Load(kept.Save())
			expect(t, "another answer", answer(w.Tokens, token), ErrTaskTimedOut)
			w.Past = history
			expect(t, "end", ended(m.Run(t.Context(), w.Execution)),
				map[string]string{"yes": `"yes"`, "no": "FAILED AlarmBreached"}[name])
			expect(t, "after the end", answer(w.Tokens, token), ErrTaskTimedOut)
		})
	}
}

func TestRun_TheHistoryOfAnotherDefinition(t *testing.T) {
	m, err := Parse(machine("P", `"P": {"Type": "Pass", "Next": "Done"}`, done))
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(`{}`, echo)
	w.run(t, machine("Other", `"Other": {"Type": "Pass", "Next": "Done"}`, done))
	w.Past = w.events[:3]
	result := m.Run(t.Context(), w.Execution)
	expect(t, "end", ended(result), "FAILED States.Runtime")
	expect(t, "cause", result.Cause, "event 2 of the history is PassStateEntered of Other, but the definition has PassStateEntered of P")
}
