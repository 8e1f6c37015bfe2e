package asl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// task calls a Lambda function, and waits for a token's answer if the resource ends in
// .waitForTaskToken.
type task struct {
	node
	resource   TaskResource
	token      bool
	parameters template
	selector   template
	result     *path
	retry      []retrier
	catch      []catcher
	timeout    duration
	heartbeat  duration
}

// duration is a number of seconds, literal or found by a path; 0 for none.
type duration struct {
	field   string
	seconds int64
	path    *path
}

const lambdaInvoke = "arn:aws:states:::lambda:invoke"

func parseTask(o *object, n node) state {
	t := &task{node: n, resource: TaskResource{"lambda", "invoke"}}
	t.paths(o)
	t.transition(o)

	switch resource, _ := o.text("Resource"); resource {
	case lambdaInvoke:
	case lambdaInvoke + ".waitForTaskToken":
		t.token, t.resource.Resource = true, "invoke.waitForTaskToken"
	default:
		o.refuse("Resource", "found %q, expected %s, with or without .waitForTaskToken", resource,
			lambdaInvoke)
	}

	t.parameters = o.template("Parameters")
	t.checkParameters(o)
	t.selector = o.template("ResultSelector")
	t.result = o.filter("ResultPath", parseReference)
	t.retry, t.catch = o.retriers(), o.catchers()

	t.timeout, t.heartbeat = o.duration("TimeoutSeconds"), o.duration("HeartbeatSeconds")
	if t.heartbeat.seconds > 0 && t.timeout.seconds > 0 && t.heartbeat.seconds >= t.timeout.seconds {
		o.refuse("HeartbeatSeconds", "found %d, expected less than TimeoutSeconds, %d",
			t.heartbeat.seconds, t.timeout.seconds)
	}

	if !t.token && (t.heartbeat.seconds > 0 || t.heartbeat.path != nil) {
		o.refuse("HeartbeatSeconds", "nobody can send heartbeats to a task without a token")
	}

	return t
}

func (t *task) checkParameters(o *object) {
	given, _ := t.parameters.(members)
	if given["FunctionName"] == nil {
		o.refuse("Parameters", "FunctionName: missing")
	}

	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name != "FunctionName" && name != "Payload" {
			o.refuse("Parameters", "%s: unknown field", name)
		}
	}

	if t.token != passesToken(t.parameters) {
		o.refuse("Parameters", "$$.Task.Token must be passed on by .waitForTaskToken, and only by it")
	}
}

func passesToken(t template) bool {
	switch t := t.(type) {
	case lookup:
		return t.path.text == "$$.Task" || t.path.text == "$$.Task.Token"
	case members:
		return slices.ContainsFunc(slices.Collect(maps.Values(t)), passesToken)
	case elements:
		return slices.ContainsFunc(t, passesToken)
	}

	return false
}

func (o *object) duration(field string) duration {
	o.oneOf(true, field, field+"Path")
	return duration{field, o.integer(field, 1, maxSeconds, 0), o.path(field+"Path", parsePath)}
}

func (d duration) in(s scope) (int64, error) {
	if d.path == nil {
		return d.seconds, nil
	}

	value, _ := d.path.get(s)

	seconds, ok := whole(value)
	if !ok || seconds == 0 {
		return 0, runtimeError("The %sPath '%s' found %s, expected a positive whole number", d.field,
			d.path.text, encode(value))
	}

	return seconds, nil
}

func (t *task) targets() []target {
	list := t.node.targets()
	for i, c := range t.catch {
		list = append(list, target{fmt.Sprintf("Catch[%d].Next", i), c.next})
	}

	return list
}

func (t *task) run(ctx context.Context, r *run, input any) (any, string, error) {
	r.enter(&t.node, input)

	tried := make([]int64, len(t.retry))
	for retries := 0; ; retries++ {
		output, err := t.attempt(ctx, r, input, retries)
		if err == nil {
			return output, t.next, r.exit(&t.node, output)
		}

		if ctx.Err() != nil {
			return nil, "", err
		}

		e := asTaskError(err)

		wait, again := t.retryAfter(e, tried)
		if !again {
			return t.caught(r, input, e)
		}

		r.sleep(ctx, r.now.Add(wait))

		if ctx.Err() != nil {
			return nil, "", err
		}
	}
}

// retryAfter tells whether to try again, and after which delay. The first retrier that matches the
// error decides; each counts its own attempts.
func (t *task) retryAfter(e *TaskError, tried []int64) (time.Duration, bool) {
	for i, c := range t.retry {
		if e.matches(c.errors) {
			tried[i]++
			return c.delay(tried[i] - 1), tried[i] <= c.maxAttempts
		}
	}

	return 0, false
}

// caught returns the output and the next state of the first catcher that matches the error.
func (t *task) caught(r *run, input any, e *TaskError) (any, string, error) {
	for _, c := range t.catch {
		if !e.matches(c.errors) {
			continue
		}

		output := input

		if c.result != nil {
			var err error

			output, err = c.result.put(input, map[string]any{"Error": e.Name, "Cause": e.Cause})
			if err != nil {
				return nil, "", err
			}
		}

		return output, c.next, r.exit(&t.node, output)
	}

	return nil, "", e
}

// attempt makes one call: it shapes the input, calls, and shapes the result.
func (t *task) attempt(ctx context.Context, r *run, input any, retries int) (any, error) {
	c := call{task: t}
	if t.token {
		c.ticket = r.Tokens.open(t.handedOut(r))
		defer r.Tokens.close(c.ticket)
	}

	if err := c.prepare(r, input, retries); err != nil {
		return nil, r.fault(&t.node, err)
	}

	result, err := c.make(ctx, r)
	if err != nil {
		return nil, err
	}

	output, err := t.shape(c.scope, input, result)
	if err != nil {
		return nil, r.fault(&t.node, err)
	}

	return output, nil
}

// shape applies ResultSelector, ResultPath and OutputPath.
func (t *task) shape(s scope, input, result any) (any, error) {
	if t.selector != nil {
		var err error
		if result, err = t.selector.fill(scope{result, s.context}); err != nil {
			return nil, err
		}
	}

	output := input

	if t.result != nil {
		var err error
		if output, err = t.result.put(input, result); err != nil {
			return nil, err
		}
	}

	return t.narrow("OutputPath", t.output, scope{output, s.context})
}

func functionName(parameters map[string]any) (string, error) {
	name, _ := parameters["FunctionName"].(string)
	if strings.TrimSpace(name) == "" {
		return "", runtimeError("FunctionName: found %s, expected a name or ARN",
			encode(parameters["FunctionName"]))
	}

	return name, nil
}
