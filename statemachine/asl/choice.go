package asl

import (
	"context"
	"encoding/json"
	"fmt"
)

// choice goes to the next state of the first rule that holds.
type choice struct {
	node
	rules    []rule
	fallback string
}

type rule struct {
	holds condition
	next  string
}

func parseChoice(o *object, n node) state {
	c := &choice{node: n}
	c.paths(o)

	for i, raw := range o.list("Choices") {
		in, _ := readObject(fmt.Sprintf("%s: Choices[%d]", o.at, i), raw, o.problems)
		in.text("Comment")

		next, _ := in.text("Next")
		if next == "" {
			in.refuse("Next", "missing")
		}

		c.rules = append(c.rules, rule{in.condition(), next})
	}

	if len(c.rules) == 0 {
		o.refuse("Choices", "missing")
	}

	c.fallback, _ = o.text("Default")

	return c
}

// condition takes the remaining fields of a rule: And, Or, Not, or a comparison.
func (o *object) condition() condition {
	defer o.done()

	o.oneOf(false, "And", "Or", "Not", "Variable")

	inner := func(at string, raw json.RawMessage) condition {
		in, _ := readObject(o.at+"."+at, raw, o.problems)
		return in.condition()
	}

	for _, join := range []string{"And", "Or"} {
		if _, ok := o.fields[join]; !ok {
			continue
		}

		var all []condition
		for i, raw := range o.list(join) {
			all = append(all, inner(fmt.Sprintf("%s[%d]", join, i), raw))
		}

		return joined(all, join == "Or")
	}

	if raw, ok := o.take("Not"); ok {
		negated := inner("Not", raw)

		return func(s scope) (bool, error) {
			holds, err := negated(s)
			return !holds, err
		}
	}

	return o.comparison()
}

// joined is Or if decides is true, and And if it is false: the first condition with that outcome
// decides.
func joined(all []condition, decides bool) condition {
	return func(s scope) (bool, error) {
		for _, c := range all {
			holds, err := c(s)
			if err != nil || holds == decides {
				return holds, err
			}
		}

		return !decides, nil
	}
}

func (c *choice) targets() []target {
	var list []target
	for i, r := range c.rules {
		list = append(list, target{fmt.Sprintf("Choices[%d].Next", i), r.next})
	}

	if c.fallback != "" {
		list = append(list, target{"Default", c.fallback})
	}

	return list
}

func (c *choice) run(_ context.Context, r *run, input any) (any, string, error) {
	r.enter(&c.node, input)
	s := r.scope(&c.node, input, 0, "")

	narrowed, err := c.narrow("InputPath", c.input, s)
	if err != nil {
		return nil, "", r.fault(&c.node, err)
	}

	s.input = narrowed

	next, err := c.decide(s)
	if err != nil {
		return nil, "", r.fault(&c.node, err)
	}

	output, err := c.narrow("OutputPath", c.output, s)
	if err != nil {
		return nil, "", r.fault(&c.node, err)
	}

	return output, next, r.exit(&c.node, output)
}

func (c *choice) decide(s scope) (string, error) {
	for _, rule := range c.rules {
		holds, err := rule.holds(s)
		if err != nil {
			return "", err
		}

		if holds {
			return rule.next, nil
		}
	}

	if c.fallback == "" {
		return "", &TaskError{Name: NoChoiceMatched, Cause: fmt.Sprintf(
			"No rule of the state '%s' holds for the input '%s', and it has no Default.",
			c.name, encode(s.input))}
	}

	return c.fallback, nil
}
