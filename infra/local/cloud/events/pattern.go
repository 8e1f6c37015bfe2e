package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// pattern tells whether an object of an event matches. A missing object is a nil map, so that
// "exists": false matches below a missing parent.
type pattern func(object map[string]any) bool

const maxPattern = 4096

// compile parses an event pattern. The error names the field that is invalid.
func compile(source string) (pattern, error) {
	if len(source) > maxPattern {
		return nil, fmt.Errorf("it is %d characters long, expected at most %d", len(source), maxPattern)
	}

	value, err := decode([]byte(source))
	if err != nil {
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}

	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("filter is not an object")
	}

	return compileObject("", object)
}

// decode keeps numbers as they were written: EventBridge compares 300 and 300.0 as different.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()

	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}

	if d.More() {
		return nil, errors.New("found more text after the JSON value")
	}

	return value, nil
}

func compileObject(path string, object map[string]any) (pattern, error) {
	if len(object) == 0 {
		return nil, fmt.Errorf("%q: empty objects are not allowed", path)
	}

	var all []pattern

	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := key
		if path != "" {
			at = path + "." + key
		}

		p, err := compileField(at, key, object[key])
		if err != nil {
			return nil, err
		}

		all = append(all, p)
	}

	return func(o map[string]any) bool {
		return !slices.ContainsFunc(all, func(p pattern) bool { return !p(o) })
	}, nil
}

func compileField(at, key string, value any) (pattern, error) {
	switch value := value.(type) {
	case map[string]any:
		inner, err := compileObject(at, value)
		if err != nil {
			return nil, err
		}

		return func(o map[string]any) bool { return matchNested(o[key], inner) }, nil
	case []any:
		if key == "$or" {
			return compileOr(at, value)
		}

		return compileLeaf(at, key, value)
	}

	return nil, fmt.Errorf("%q must be an object or an array", at)
}

// matchNested matches all fields of a nested pattern against the same element of an array.
func matchNested(value any, p pattern) bool {
	switch value := value.(type) {
	case map[string]any:
		return p(value)
	case []any:
		if len(value) > 0 {
			return slices.ContainsFunc(value, func(element any) bool { return matchNested(element, p) })
		}
	}

	return p(nil)
}

func compileOr(at string, alternatives []any) (pattern, error) {
	if len(alternatives) < 2 {
		return nil, fmt.Errorf("%q must have at least two alternatives", at)
	}

	var some []pattern

	for _, alternative := range alternatives {
		object, ok := alternative.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%q must be an array of objects", at)
		}

		p, err := compileObject(at, object)
		if err != nil {
			return nil, err
		}

		some = append(some, p)
	}

	return func(o map[string]any) bool {
		return slices.ContainsFunc(some, func(p pattern) bool { return p(o) })
	}, nil
}

// compileLeaf compiles a field's array of values and comparisons. One of them must match one of the
// values of the field.
func compileLeaf(at, key string, choices []any) (pattern, error) {
	if len(choices) == 0 {
		return nil, fmt.Errorf("%q: empty arrays are not allowed", at)
	}

	var tests []test

	for _, choice := range choices {
		t, err := compileTest(choice)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", at, err)
		}

		tests = append(tests, t)
	}

	return func(o map[string]any) bool {
		value, there := o[key]

		var values []any
		if there {
			values = leaves(value)
		}

		return slices.ContainsFunc(tests, func(t test) bool { return t(values) })
	}, nil
}

// leaves lists the values of a field that comparisons see: none for an object, the elements for an
// array.
func leaves(value any) []any {
	switch value := value.(type) {
	case map[string]any:
		return nil
	case []any:
		var all []any
		for _, element := range value {
			all = append(all, leaves(element)...)
		}

		return all
	}

	return []any{value}
}
