package asl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object reads one JSON object of a definition, field by field, and collects its problems. Unlike
// encoding/json, it distinguishes upper and lower case, and refuses duplicate and unknown fields.
type object struct {
	at       string // its place in the definition, for messages
	fields   map[string]json.RawMessage
	problems *[]error
}

// readObject reads an object, and the names of its fields in their order.
func readObject(at string, raw json.RawMessage, problems *[]error) (*object, []string) {
	o := &object{at: at, fields: map[string]json.RawMessage{}, problems: problems}

	var order []string

	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		o.problem("found %s, expected an object", abbreviate(raw))
		return o, nil
	}

	for d.More() {
		key, err := d.Token()

		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}

		if err != nil {
			o.problem("not JSON: %w", err)
			return o, order
		}

		name, _ := key.(string)
		if _, twice := o.fields[name]; twice {
			o.refuse(name, "found twice, expected once")
		}

		o.fields[name] = value
		order = append(order, name)
	}

	return o, order
}

func abbreviate(raw json.RawMessage) string {
	if len(raw) > 40 {
		return string(raw[:40]) + "..."
	}

	return string(raw)
}

func (o *object) problem(format string, args ...any) {
	*o.problems = append(*o.problems, fmt.Errorf(o.at+": "+format, args...))
}

func (o *object) refuse(field, format string, args ...any) {
	o.problem("%s: %w", field, fmt.Errorf(format, args...))
}

// done refuses the fields that were not taken.
func (o *object) done() {
	var unknown []string
	for field := range o.fields {
		unknown = append(unknown, field)
	}

	slices.Sort(unknown)

	for _, field := range unknown {
		o.refuse(field, "unknown field")
	}
}

func (o *object) take(field string) (json.RawMessage, bool) {
	raw, ok := o.fields[field]
	delete(o.fields, field)

	return raw, ok
}

func (o *object) into(field, expected string, into any) bool {
	raw, ok := o.take(field)
	if !ok {
		return false
	}

	if err := json.Unmarshal(raw, into); err != nil || string(raw) == "null" {
		o.refuse(field, "found %s, expected %s", abbreviate(raw), expected)
		return false
	}

	return true
}

func (o *object) text(field string) (value string, ok bool) {
	ok = o.into(field, "a string", &value)
	return value, ok
}

func (o *object) flag(field string) (value, ok bool) {
	ok = o.into(field, "true or false", &value)
	return value, ok
}

// integer takes a whole number from least to most; fallback if the field is missing.
func (o *object) integer(field string, least, most, fallback int64) int64 {
	value := fallback
	if o.into(field, fmt.Sprintf("a whole number from %d to %d", least, most), &value) &&
		(value < least || value > most) {
		o.refuse(field, "found %d, expected a whole number from %d to %d", value, least, most)
	}

	return value
}

func (o *object) list(field string) []json.RawMessage {
	var list []json.RawMessage
	if o.into(field, "a list", &list) && len(list) == 0 {
		o.refuse(field, "found an empty list, expected at least one element")
	}

	return list
}

// path takes a path; nil if the field is missing.
func (o *object) path(field string, parse func(string) (path, error)) *path {
	text, ok := o.text(field)
	if !ok {
		return nil
	}

	p, err := parse(text)
	if err != nil {
		o.refuse(field, "%w", err)
		return nil
	}

	return &p
}

// filter takes InputPath, OutputPath or ResultPath: the root if the field is missing, nil if it is
// null.
func (o *object) filter(field string, parse func(string) (path, error)) *path {
	raw, ok := o.fields[field]
	if !ok {
		return &root
	}

	if string(raw) == "null" {
		o.take(field)
		return nil
	}

	if p := o.path(field, parse); p != nil {
		return p
	}

	return &root
}

// oneOf refuses the object unless it has exactly one of the fields; at most one, if optional.
func (o *object) oneOf(optional bool, fields ...string) {
	var found []string

	for _, field := range fields {
		if _, ok := o.fields[field]; ok {
			found = append(found, field)
		}
	}

	switch {
	case len(found) > 1:
		o.problem("%s: found together, expected one of them", strings.Join(found, ", "))
	case len(found) == 0 && !optional:
		o.problem("%s: found none, expected one of them", strings.Join(fields, ", "))
	}
}
