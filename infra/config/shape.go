package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	sm "lockstep/statemachine"
)

// shape checks a JSON value against the Go value that it will be decoded into. encoding/json would
// report neither the path of an unknown key nor that of a value of the wrong type.
func shape(path string, raw any, into any) error {
	return shapeOf(path, raw, reflect.TypeOf(into))
}

func shapeOf(path string, raw any, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		if raw == nil {
			return nil
		}

		t = t.Elem()
	}

	if t == reflect.TypeFor[sm.Duration]() {
		text, ok := raw.(string)
		if !ok || new(sm.Duration).UnmarshalText([]byte(text)) != nil {
			return wrong(path, raw, `a duration like "90s", "5m" or "1h30m"`)
		}

		return nil
	}

	switch t.Kind() {
	case reflect.Struct:
		return shapeOfStruct(path, raw, t)
	case reflect.Slice:
		list, ok := raw.([]any)
		if !ok {
			return wrong(path, raw, "a list")
		}

		for i, one := range list {
			if err := shapeOf(fmt.Sprintf("%s[%d]", path, i), one, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Map:
		object, ok := raw.(map[string]any)
		if !ok {
			return wrong(path, raw, "an object")
		}

		for _, key := range slices.Sorted(maps.Keys(object)) {
			if err := shapeOf(path+"."+key, object[key], t.Elem()); err != nil {
				return err
			}
		}
	case reflect.String:
		if _, ok := raw.(string); !ok {
			return wrong(path, raw, "a string")
		}
	case reflect.Float64:
		if _, ok := raw.(float64); !ok {
			return wrong(path, raw, "a number")
		}
	case reflect.Int:
		if n, ok := raw.(float64); !ok || n != float64(int(n)) {
			return wrong(path, raw, "a whole number")
		}
	}

	return nil
}

func shapeOfStruct(path string, raw any, t reflect.Type) error {
	object, ok := raw.(map[string]any)
	if !ok {
		return wrong(path, raw, "an object")
	}

	fields, names := map[string]reflect.Type{}, []string{}

	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name], names = t.Field(i).Type, append(names, name)
	}

	for _, key := range slices.Sorted(maps.Keys(object)) {
		field, known := fields[key]
		if !known {
			return fmt.Errorf("%s.%s: found a key that is not known, expected one of %s", path, key,
				strings.Join(names, ", "))
		}

		if err := shapeOf(path+"."+key, object[key], field); err != nil {
			return err
		}
	}

	return nil
}

func wrong(path string, raw any, expected string) error {
	found, _ := json.Marshal(raw)
	return fmt.Errorf("%s: found %.80s, expected %s", path, found, expected)
}
