package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// test matches one choice of a pattern's array against all values of the field.
type test func(values []any) bool

// comparison matches it against one value.
type comparison func(value any) bool

func anyOf(c comparison) test {
	return func(values []any) bool { return slices.ContainsFunc(values, c) }
}

func compileTest(choice any) (test, error) {
	switch choice := choice.(type) {
	case []any:
		return nil, errors.New("match value must be String, number, true, false, or null")
	case map[string]any:
		operator, operand, err := only(choice)
		if err != nil {
			return nil, err
		}

		if operator == "exists" {
			return compileExists(operand)
		}

		c, err := compileOperator(operator, operand)
		if err != nil {
			return nil, err
		}

		return anyOf(c), nil
	}

	return anyOf(func(value any) bool { return value == choice }), nil
}

func only(object map[string]any) (key string, value any, err error) {
	if len(object) != 1 {
		return "", nil, errors.New("only one key allowed in match expression")
	}

	for key, value = range object {
	}

	return key, value, nil
}

func compileExists(operand any) (test, error) {
	want, ok := operand.(bool)
	if !ok {
		return nil, errors.New("exists match pattern must be either true or false")
	}

	return func(values []any) bool { return (len(values) > 0) == want }, nil
}

func compileOperator(operator string, operand any) (comparison, error) {
	switch operator {
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
		return compileText(operator, operand)
	case "anything-but":
		return compileAnythingBut(operand)
	case "numeric":
		return compileNumeric(operand)
	case "cidr":
		return compileCIDR(operand)
	}

	return nil, fmt.Errorf("unrecognized match type %s", operator)
}

func compileText(operator string, operand any) (comparison, error) {
	fold := func(s string) string { return s }

	if object, ok := operand.(map[string]any); ok && (operator == "prefix" || operator == "suffix") {
		key, inner, err := only(object)
		if err != nil || key != "equals-ignore-case" {
			return nil, fmt.Errorf("%s takes a string or {\"equals-ignore-case\": string}", operator)
		}

		operand, fold = inner, strings.ToLower
	}

	want, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s match pattern must be a string", operator)
	}

	var holds func(string) bool

	switch operator {
	case "prefix":
		holds = func(s string) bool { return strings.HasPrefix(fold(s), fold(want)) }
	case "suffix":
		holds = func(s string) bool { return strings.HasSuffix(fold(s), fold(want)) }
	case "equals-ignore-case":
		holds = func(s string) bool { return strings.EqualFold(s, want) }
	default:
		glob, err := compileWildcard(want)
		if err != nil {
			return nil, err
		}

		holds = glob
	}

	return func(value any) bool {
		s, ok := value.(string)
		return ok && holds(s)
	}, nil
}

// compileAnythingBut compiles a value, a list of values of one kind, or one text operator with a
// string or a list of strings.
func compileAnythingBut(operand any) (comparison, error) {
	operator := ""

	if object, ok := operand.(map[string]any); ok {
		var err error
		if operator, operand, err = only(object); err != nil {
			return nil, err
		}

		if !slices.Contains([]string{"prefix", "suffix", "equals-ignore-case", "wildcard"}, operator) {
			return nil, fmt.Errorf("unsupported anything-but pattern: %s", operator)
		}
	}

	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}

	if len(list) == 0 {
		return nil, errors.New("anything-but: empty arrays are not allowed")
	}

	var refused []comparison

	for _, one := range list {
		c, err := compileRefused(operator, one)
		if err != nil {
			return nil, err
		}

		refused = append(refused, c)
	}

	return func(value any) bool {
		return !slices.ContainsFunc(refused, func(c comparison) bool { return c(value) })
	}, nil
}

func compileRefused(operator string, one any) (comparison, error) {
	if operator != "" {
		if one == "" {
			return nil, fmt.Errorf("anything-but: null %s not allowed", operator)
		}

		return compileText(operator, one)
	}

	switch one.(type) {
	case string, json.Number:
		return func(value any) bool { return value == one }, nil
	}

	return nil, errors.New("anything-but takes strings or numbers")
}

func compileCIDR(operand any) (comparison, error) {
	source, ok := operand.(string)
	if !ok {
		return nil, errors.New("cidr match pattern must be a string")
	}

	block, err := netip.ParsePrefix(source)
	if err != nil {
		return nil, fmt.Errorf("malformed CIDR: %w", err)
	}

	return func(value any) bool {
		s, _ := value.(string)
		address, err := netip.ParseAddr(s)

		return err == nil && block.Contains(address)
	}, nil
}

// compileWildcard compiles a text in which * is any text. \* and \\ are the characters themselves.
func compileWildcard(source string) (func(string) bool, error) {
	parts := []string{""}
	for i := 0; i < len(source); i++ {
		last := len(parts) - 1
		switch c := source[i]; {
		case c == '*' && i > 0 && source[i-1] == '*' && parts[last] == "":
			return nil, fmt.Errorf("consecutive wildcard characters at pos %d", i-1)
		case c == '*':
			parts = append(parts, "")
		case c == '\\':
			if i++; i == len(source) || (source[i] != '*' && source[i] != '\\') {
				return nil, fmt.Errorf("invalid escape character at pos %d", i-1)
			}

			parts[last] += source[i : i+1]
		default:
			parts[last] += source[i : i+1]
		}
	}

	return func(s string) bool { return matchParts(s, parts) }, nil
}

func matchParts(s string, parts []string) bool {
	last := len(parts) - 1
	if last == 0 {
		return s == parts[0]
	}

	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}

	for _, part := range parts[1:last] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}

		rest = rest[at+len(part):]
	}

	return strings.HasSuffix(rest, parts[last])
}
