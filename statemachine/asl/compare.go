package asl

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// condition tells whether a rule of a Choice holds.
type condition func(scope) (bool, error)

// test compares the variable with the operand of its operator. A value of another type gives false.
type test func(variable, operand any) bool

// operator is one comparison of the language.
type operator struct {
	kind string // of the operand, for messages: "a string"
	test test
	path bool // whether there is a variant whose operand is a path
}

var operators = map[string]operator{
	"BooleanEquals": {"true or false", equal[bool], true},
	"StringMatches": {"a string", matchesPattern, false},
	"IsNull":        is(func(v any) bool { return v == nil }),
	"IsString":      is(func(v any) bool { _, ok := v.(string); return ok }),
	"IsNumeric":     is(func(v any) bool { _, ok := v.(json.Number); return ok }),
	"IsBoolean":     is(func(v any) bool { _, ok := v.(bool); return ok }),
	"IsTimestamp":   is(func(v any) bool { _, ok := asTime(v); return ok }),
}

func init() {
	for name, holds := range map[string]func(order int) bool{
		"Equals":            func(c int) bool { return c == 0 },
		"LessThan":          func(c int) bool { return c < 0 },
		"LessThanEquals":    func(c int) bool { return c <= 0 },
		"GreaterThan":       func(c int) bool { return c > 0 },
		"GreaterThanEquals": func(c int) bool { return c >= 0 },
	} {
		operators["String"+name] = operator{"a string", ordered(asString, strings.Compare, holds), true}
		operators["Numeric"+name] = operator{"a number", ordered(asFloat, cmp.Compare[float64], holds),
			true}
		operators["Timestamp"+name] = operator{"a timestamp", ordered(asTime, time.Time.Compare, holds),
			true}
	}
}

func ordered[T any](as func(any) (T, bool), compare func(a, b T) int, holds func(int) bool) test {
	return func(variable, operand any) bool {
		a, ok := as(variable)
		b, alike := as(operand)

		return ok && alike && holds(compare(a, b))
	}
}

func equal[T comparable](variable, operand any) bool {
	a, ok := variable.(T)
	b, alike := operand.(T)

	return ok && alike && a == b
}

func is(kind func(any) bool) operator {
	test := func(variable, operand any) bool { return kind(variable) == operand }
	return operator{"true or false", test, false}
}

func asString(v any) (string, bool) { s, ok := v.(string); return s, ok }

func asFloat(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}

	f, err := n.Float64()

	return f, err == nil
}

func asTime(v any) (time.Time, bool) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339, s)

	return t, err == nil
}

// comparison takes Variable and exactly one operator.
func (o *object) comparison() condition {
	variable := o.path("Variable", parsePath)

	var found []string

	for field := range o.fields {
		plain, byPath := strings.CutSuffix(field, "Path")
		if known, ok := operators[plain]; field == "IsPresent" || ok && (!byPath || known.path) {
			found = append(found, field)
		}
	}

	slices.Sort(found)

	if len(found) != 1 {
		o.problem("found %d comparison operators %v, expected exactly one", len(found), found)
		return nil
	}

	name := found[0]
	if name == "IsPresent" {
		expected, _ := o.flag(name)

		return func(s scope) (bool, error) {
			_, present := variable.get(s)
			return present == expected, nil
		}
	}

	plain, byPath := strings.CutSuffix(name, "Path")
	compare := operators[plain].test
	operand := o.operand(name, operators[plain], byPath)

	return func(s scope) (bool, error) {
		value, err := variable.need(s)
		if err != nil {
			return false, err
		}

		other, err := operand(s)

		return err == nil && compare(value, other), err
	}
}

// operand takes what the variable is compared with: a literal value, or a path to one.
func (o *object) operand(field string, op operator, byPath bool) func(scope) (any, error) {
	if byPath {
		if p := o.path(field, parsePath); p != nil {
			return p.need
		}

		return nil
	}

	raw, _ := o.take(field)
	value, _ := decode(raw)
	ok := false

	switch op.kind {
	case "a string":
		_, ok = value.(string)
	case "a number":
		_, ok = asFloat(value)
	case "a timestamp":
		_, ok = asTime(value)
	case "true or false":
		_, ok = value.(bool)
	}

	if !ok {
		o.refuse(field, "found %s, expected %s", abbreviate(raw), op.kind)
	}

	return func(scope) (any, error) { return value, nil }
}

// need is get for a Choice: a missing value fails the execution.
func (p path) need(s scope) (any, error) {
	value, ok := p.get(s)
	if !ok {
		return nil, runtimeError("Invalid path '%s': The choice state's condition path references an "+
			"invalid value.", p.text)
	}

	return value, nil
}

// matchesPattern is StringMatches: '*' stands for any characters, and a backslash escapes the next
// character.
func matchesPattern(variable, operand any) bool {
	text, ok := variable.(string)
	pattern, alike := operand.(string)

	return ok && alike && glob([]rune(pattern), []rune(text))
}

// glob matches a text with a pattern. Where a character does not match, it goes back to the latest
// '*': without alternatives in the pattern, no earlier one can help.
func glob(pattern, text []rune) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		literal, width := rune(-1), 1
		if p < len(pattern) {
			literal = pattern[p]
			if literal == '\\' && p+1 < len(pattern) {
				literal, width = pattern[p+1], 2
			}
		}

		switch {
		case p < len(pattern) && width == 1 && literal == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && literal == text[t]:
			p += width
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}

	return p == len(pattern)
}
