package asl

import (
	"fmt"
	"strings"
)

// template is a payload template: JSON in which the value of a field "name.$" is a path.
type template interface {
	fill(s scope) (any, error)
}

type (
	literal  struct{ value any }
	members  map[string]template
	elements []template
	lookup   struct {
		field string
		path  path
	}
)

func (t literal) fill(scope) (any, error) { return t.value, nil }

func (t members) fill(s scope) (any, error) {
	object := make(map[string]any, len(t))
	for name, member := range t {
		value, err := member.fill(s)
		if err != nil {
			return nil, err
		}

		object[name] = value
	}

	return object, nil
}

func (t elements) fill(s scope) (any, error) {
	list := make([]any, len(t))
	for i, element := range t {
		value, err := element.fill(s)
		if err != nil {
			return nil, err
		}

		list[i] = value
	}

	return list, nil
}

func (t lookup) fill(s scope) (any, error) {
	value, ok := t.path.get(s)
	if !ok {
		data := s.input
		if t.path.context {
			data = s.context
		}

		return nil, runtimeError(
			"The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			t.path.text, t.field, encode(data))
	}

	return value, nil
}

// parseTemplate reads a template; at is its place in the definition, for messages.
func parseTemplate(at string, value any) (template, error) {
	switch value := value.(type) {
	case map[string]any:
		t := make(members, len(value))
		for name, inner := range value {
			plain, dynamic := strings.CutSuffix(name, ".$")
			if _, twice := value[plain]; dynamic && twice {
				return nil, fmt.Errorf("%s.%s: found beside %s, expected one of them", at, name, plain)
			}

			member, err := parseMember(at+"."+name, name, inner, dynamic)
			if err != nil {
				return nil, err
			}

			t[plain] = member
		}

		return t, nil
	case []any:
		t := make(elements, len(value))
		for i, inner := range value {
			element, err := parseTemplate(fmt.Sprintf("%s[%d]", at, i), inner)
			if err != nil {
				return nil, err
			}

			t[i] = element
		}

		return t, nil
	}

	return literal{value}, nil
}

func parseMember(at, name string, value any, dynamic bool) (template, error) {
	if !dynamic {
		return parseTemplate(at, value)
	}

	text, ok := value.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: found %s, expected a path in a string", at, encode(value))
	case strings.HasPrefix(text, "States."):
		return nil, fmt.Errorf("%s: found %q: intrinsic functions are not supported", at, text)
	}

	p, err := parsePath(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}

	return lookup{field: name, path: p}, nil
}

// template takes a field whose value is an object; nil if the field is missing.
func (o *object) template(field string) template {
	raw, ok := o.take(field)
	if !ok {
		return nil
	}

	value, err := decode(raw)
	if err != nil {
		o.refuse(field, "%w", err)
		return nil
	}

	if _, ok := value.(map[string]any); !ok {
		o.refuse(field, "found %s, expected an object", abbreviate(raw))
		return nil
	}

	t, err := parseTemplate(field, value)
	if err != nil {
		*o.problems = append(*o.problems, fmt.Errorf("%s: %w", o.at, err))
	}

	return t
}
