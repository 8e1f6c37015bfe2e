package asl

import (
	"context"
	"encoding/json"
	"time"
)

// call is one attempt of a task.
type call struct {
	*task
	ticket     *ticket // nil if the task does not wait for a token
	scope      scope
	function   string
	payload    json.RawMessage
	parameters json.RawMessage
	timeout    int64
	heartbeat  int64
}

// prepare shapes the input: it fills in the parameters and finds the timeouts.
func (c *call) prepare(r *run, input any, retries int) (err error) {
	token := ""
	if c.ticket != nil {
		token = c.ticket.token
	}

	c.scope = r.scope(&c.node, input, retries, token)
	if c.scope.input, err = c.narrow("InputPath", c.input, c.scope); err != nil {
		return err
	}

	if c.timeout, err = c.task.timeout.in(c.scope); err != nil {
		return err
	}

	if c.heartbeat, err = c.task.heartbeat.in(c.scope); err != nil {
		return err
	}

	filled, err := c.task.parameters.fill(c.scope)
	if err != nil {
		return err
	}

	parameters, _ := filled.(map[string]any)
	if c.function, err = functionName(parameters); err != nil {
		return err
	}

	payload, ok := parameters["Payload"]
	if !ok {
		payload = map[string]any{}
	}

	c.payload, c.parameters = encode(payload), encode(filled)
	if len(c.parameters) > MaxPayload {
		return tooLarge(c.name)
	}

	return nil
}

// make invokes the function and waits for the end of the task: the function's answer, or the
// token's if there is one, which may come before the function returns.
func (c *call) make(ctx context.Context, r *run) (any, error) {
	made := len(r.past) > 0
	r.record(Event{Type: "TaskScheduled", TaskScheduled: &TaskScheduled{
		TaskResource: c.resource, Region: r.region(), Parameters: string(c.parameters),
		TimeoutInSeconds: c.timeout, HeartbeatInSeconds: c.heartbeat,
	}})
	r.record(Event{Type: "TaskStarted", TaskStarted: &c.resource})

	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}

	scheduled, returned := r.now, make(chan answer, 1)

	var a answer

	ended := false
	if made {
		a, ended = c.past(r, scheduled)
	} else {
		go func() {
			output, err := r.Invoke(context.WithoutCancel(ctx), c.function, c.payload)
			returned <- answer{output, err}
		}()
	}

	if !ended {
		a = c.wait(ctx, r, scheduled, returned)
	}

	if c.ticket != nil {
		// An accepted answer counts, whatever else happened at the same moment.
		if late, answered := r.Tokens.close(c.ticket); answered {
			a = late
		}
	}

	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}

	return c.end(r, a)
}

// wait returns the answer that ends the task, the timeout, or the cause of ctx's cancellation.
func (c *call) wait(ctx context.Context, r *run, scheduled time.Time,
	returned <-chan answer) answer {
	timeout, stopTimeout := timer(scheduled, c.timeout)
	defer stopTimeout()

	heartbeat, stopHeartbeat := timer(r.now, c.heartbeat)
	defer func() { stopHeartbeat() }()

	var (
		answered <-chan answer
		beat     <-chan struct{}
	)
	if c.ticket != nil {
		answered, beat = c.ticket.answer, c.ticket.beat
	}

	for {
		select {
		case <-ctx.Done():
			return answer{err: context.Cause(ctx)}
		case <-timeout:
			return answer{err: &TaskError{Name: Timeout}}
		case <-heartbeat:
			return answer{err: &TaskError{Name: Timeout, heartbeat: true}}
		case <-beat:
			stopHeartbeat()
			heartbeat, stopHeartbeat = timer(time.Now(), c.heartbeat)
		case a := <-answered:
			return a
		case a := <-returned:
			if a.err != nil {
				return answer{err: lambdaError(a.err)}
			}

			a.output = invoked(a.output)
			if c.ticket == nil {
				return a
			}

			returned = nil

			r.record(Event{Type: "TaskSubmitted", TaskSubmitted: &TaskOutput{c.resource, output(a.output)}})
		}
	}
}

// invoked is the result of lambda:invoke: an object with the function's answer as its Payload.
func invoked(payload json.RawMessage) json.RawMessage {
	value, err := decode(payload)
	if err != nil {
		// No answer is null. Bytes that are not JSON are passed on as a string.
		value = nil
		if len(payload) > 0 {
			value = string(payload)
		}
	}

	return encode(map[string]any{"ExecutedVersion": "$LATEST", "Payload": value, "StatusCode": 200})
}

// end records how the task ended.
func (c *call) end(r *run, a answer) (any, error) {
	var result any

	if a.err == nil && len(a.output) > MaxPayload {
		a.err = tooLarge(c.resource.ResourceType)
	}

	if a.err == nil {
		if result, a.err = decode(a.output); a.err != nil {
			a.err = runtimeError("the task's output is not JSON: %v", a.err)
		}
	}

	if a.err == nil {
		r.record(Event{Type: "TaskSucceeded", TaskSucceeded: &TaskOutput{c.resource, output(a.output)}})
		return result, nil
	}

	e := asTaskError(a.err)

	details := &TaskFailure{c.resource, Failure{Error: e.Name, Cause: e.Cause}}
	if e.Name == Timeout && e.Cause == "" {
		r.record(Event{Type: "TaskTimedOut", TaskTimedOut: details})
	} else {
		r.record(Event{Type: "TaskFailed", TaskFailed: details})
	}

	return nil, e
}

// timer fires so many seconds after a time; with 0 seconds it never fires.
func timer(from time.Time, seconds int64) (<-chan time.Time, func() bool) {
	if seconds == 0 {
		return nil, func() bool { return false }
	}

	t := time.NewTimer(time.Until(from.Add(time.Duration(seconds) * time.Second)))

	return t.C, t.Stop
}
