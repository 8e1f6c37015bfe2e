package asl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ohler55/ojg/jp"
)

// path is a JSONPath into a state's data or, if it begins with "$$", into the context object.
type path struct {
	text     string
	expr     jp.Expr
	context  bool
	definite bool // whether it finds at most one place
}

// scope is what a path reads.
type scope struct{ input, context any }

var root = path{text: "$", expr: jp.R(), definite: true}

// known lists the fields of the context object below "$$.". A misspelled one would fail every
// execution.
var known = []string{
	"Execution", "Execution.Id", "Execution.Input", "Execution.Name", "Execution.StartTime",
	"State", "State.EnteredTime", "State.Name", "State.RetryCount",
	"StateMachine", "StateMachine.Id", "StateMachine.Name", "Task", "Task.Token",
}

func parsePath(text string) (path, error) {
	p := path{text: text, definite: true}
	if !strings.HasPrefix(text, "$") {
		return p, fmt.Errorf("found %q, expected a path that begins with '$'", text)
	}

	if strings.ContainsAny(text, "(@") {
		return p, fmt.Errorf("found %q: filters and functions in paths are not supported", text)
	}

	rest := text
	if strings.HasPrefix(text, "$$") {
		p.context, rest = true, text[1:]

		field := strings.TrimPrefix(rest, "$.")
		if rest != "$" && !slices.Contains(known, field) &&
			!strings.HasPrefix(field, "Execution.Input.") &&
			!strings.HasPrefix(field, "Execution.Input[") {
			return p, fmt.Errorf("found %q, which the context object does not have", text)
		}
	}

	expr, err := jp.ParseString(rest)
	if err != nil {
		return p, fmt.Errorf("found %q, which is not a JSONPath: %w", text, err)
	}

	p.expr = expr
	if len(expr) == 0 || expr[0] != jp.Root('$') {
		return p, fmt.Errorf("found %q, expected a path that begins with '$'", text)
	}

	for _, fragment := range expr[1:] {
		switch fragment.(type) {
		case jp.Child, jp.Nth:
		case jp.Wildcard, jp.Slice, jp.Union, jp.Descent:
			p.definite = false
		default:
			return p, fmt.Errorf("found %q, which has parts that are not supported", text)
		}
	}

	return p, nil
}

// parseReference reads a reference path. It names a single place, so that it can be written to.
func parseReference(text string) (path, error) {
	p, err := parsePath(text)
	if err != nil {
		return p, err
	}

	negative := slices.ContainsFunc(p.expr, func(f jp.Frag) bool {
		n, ok := f.(jp.Nth)
		return ok && n < 0
	})
	if !p.definite || p.context || negative {
		return p, fmt.Errorf(
			"found %q, expected a reference path, which names a single place in the input", text)
	}

	return p, nil
}

// get finds the value; false if there is none. A path that is not definite always finds a list.
func (p path) get(s scope) (any, bool) {
	data := s.input
	if p.context {
		data = s.context
	}

	found := p.expr.Get(data)
	if !p.definite {
		return append([]any{}, found...), true
	}

	if len(found) == 0 {
		return nil, false
	}

	return found[0], true
}

// put returns a copy of data with value at the path. Its error is ResultPathMatchFailure.
func (p path) put(data, value any) (any, error) {
	result, err := put(data, p.expr[1:], value)
	if err != nil {
		return nil, &TaskError{Name: ResultPathMatchFailure, Cause: fmt.Sprintf(
			"Unable to apply ReferencePath %s to input %s: %v", p.text, encode(data), err)}
	}

	return result, nil
}

// put copies the objects and lists along the way, and nothing else.
func put(data any, way jp.Expr, value any) (any, error) {
	if len(way) == 0 {
		return value, nil
	}

	switch step := way[0].(type) {
	case jp.Child:
		object, ok := data.(map[string]any)
		if !ok && data != nil {
			return nil, fmt.Errorf("%q is not in an object", string(step))
		}

		inner, err := put(object[string(step)], way[1:], value)
		if err != nil {
			return nil, err
		}

		copied := make(map[string]any, len(object)+1)
		for k, v := range object {
			copied[k] = v
		}

		copied[string(step)] = inner

		return copied, nil
	case jp.Nth:
		list, ok := data.([]any)
		if !ok || int(step) >= len(list) {
			return nil, fmt.Errorf("there is no element %d", int(step))
		}

		inner, err := put(list[step], way[1:], value)
		if err != nil {
			return nil, err
		}

		copied := slices.Clone(list)
		copied[step] = inner

		return copied, nil
	}

	return nil, errors.New("it is not a reference path")
}
