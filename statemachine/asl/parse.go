package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const maxSeconds = 99_999_999

// state is one state of a machine.
type state interface {
	// run does the state's work. It returns its output and the next state; "" ends the execution.
	run(ctx context.Context, r *run, input any) (output any, next string, err error)
	// targets lists the states it may go to, with the field that names each.
	targets() []target
}

type target struct{ field, state string }

// node is what all states have in common.
type node struct {
	name, kind    string
	next          string // "" if the execution ends here
	input, output *path  // InputPath and OutputPath; nil is null
}

func (n *node) targets() []target {
	if n.next == "" {
		return nil
	}

	return []target{{"Next", n.next}}
}

// narrow applies InputPath or OutputPath. A path of null gives an empty object.
func (n *node) narrow(field string, p *path, s scope) (any, error) {
	if p == nil {
		return map[string]any{}, nil
	}

	value, ok := p.get(s)
	if !ok {
		return nil, runtimeError("Invalid path '%s' of %s: no results in the input '%s'", p.text, field,
			encode(s.input))
	}

	return value, nil
}

// Parse reads a definition, which is JSON, and refuses whatever this interpreter would not run as
// AWS does. Its error lists every problem, each with its state and field.
func Parse(definition string) (*Machine, error) {
	var problems []error

	if !json.Valid([]byte(definition)) {
		_, err := decode(json.RawMessage(definition))
		return nil, fmt.Errorf("definition: not JSON: %w", err)
	}

	o, _ := readObject("definition", json.RawMessage(definition), &problems)
	o.text("Comment")

	if version, ok := o.text("Version"); ok && version != "1.0" {
		o.refuse("Version", "found %q, expected \"1.0\"", version)
	}

	o.queryLanguage()

	m := &Machine{states: map[string]state{}}
	m.timeout = time.Duration(o.integer("TimeoutSeconds", 1, maxSeconds, 0)) * time.Second
	m.startAt, _ = o.text("StartAt")
	raw, ok := o.take("States")
	o.done()

	if !ok {
		o.refuse("States", "missing")
		return nil, errors.Join(problems...)
	}

	states, order := readObject("States", raw, &problems)
	for _, name := range order {
		if s := parseState(name, states.fields[name], &problems); s != nil {
			m.states[name] = s
		}
	}

	if len(problems) == 0 {
		problems = m.check(order)
	}

	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}

	return m, nil
}

func (o *object) queryLanguage() {
	if language, ok := o.text("QueryLanguage"); ok && language != "JSONPath" {
		o.refuse("QueryLanguage", "found %q, expected \"JSONPath\"", language)
	}
}

// check follows every transition from StartAt, and finds states that are missing or unreachable.
func (m *Machine) check(order []string) (problems []error) {
	if m.startAt == "" {
		return []error{errors.New("definition: StartAt: missing")}
	}

	if m.states[m.startAt] == nil {
		return []error{fmt.Errorf("definition: StartAt: there is no state %q", m.startAt)}
	}

	reached := map[string]bool{m.startAt: true}
	for queue := []string{m.startAt}; len(queue) > 0; queue = queue[1:] {
		for _, t := range m.states[queue[0]].targets() {
			if m.states[t.state] == nil {
				problems = append(problems, fmt.Errorf("state %q: %s: there is no state %q", queue[0], t.field,
					t.state))
			} else if !reached[t.state] {
				reached[t.state] = true
				queue = append(queue, t.state)
			}
		}
	}

	for _, name := range order {
		if !reached[name] {
			problems = append(problems, fmt.Errorf("state %q: no other state leads here", name))
		}
	}

	return problems
}

var kinds = map[string]func(o *object, n node) state{
	"Task": parseTask, "Choice": parseChoice, "Wait": parseWait, "Pass": parsePass,
	"Succeed": parseSucceed, "Fail": parseFail,
}

func parseState(name string, raw json.RawMessage, problems *[]error) state {
	o, _ := readObject(fmt.Sprintf("state %q", name), raw, problems)
	if name == "" || len([]rune(name)) > 80 {
		o.problem("found a name of %d characters, expected 1 to 80", len([]rune(name)))
	}

	kind, ok := o.text("Type")

	parse := kinds[kind]
	if parse == nil {
		if ok || len(o.fields) > 0 {
			o.refuse("Type", "found %q, expected one of %s", kind,
				strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}

		return nil
	}

	o.text("Comment")
	o.queryLanguage()
	s := parse(o, node{name: name, kind: kind, input: &root, output: &root})
	o.done()

	return s
}

// paths takes InputPath and OutputPath.
func (n *node) paths(o *object) {
	n.input, n.output = o.filter("InputPath", parsePath), o.filter("OutputPath", parsePath)
}

// transition takes Next or End.
func (n *node) transition(o *object) {
	o.oneOf(false, "Next", "End")

	if next, ok := o.text("Next"); ok {
		if next == "" {
			o.refuse("Next", "found \"\", expected the name of a state")
		}

		n.next = next
	}

	if end, ok := o.flag("End"); ok && !end {
		o.refuse("End", "found false, expected true")
	}
}
