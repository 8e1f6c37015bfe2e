package metrics

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// CloudWatch has three protocols with the same shapes. Each protocol decodes into and encodes from
// a neutral tree of map[string]any, []any, string, bool, int64, float64 and time.Time. This file
// converts trees into the SDK's input types, and the SDK's output types into trees. The fields of
// these types have the names of the members.

var timeType = reflect.TypeFor[time.Time]()

// bind sets a value from a tree.
func bind(path string, from any, into reflect.Value) error {
	if from == nil {
		return nil
	}

	switch {
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return bind(path, from, into.Elem())
	case into.Type() == timeType:
		return bindTime(path, from, into)
	case into.Kind() == reflect.Struct:
		return bindStruct(path, from, into)
	case into.Kind() == reflect.Slice:
		return bindList(path, from, into)
	}

	if text, ok := from.(string); ok {
		return bindText(path, text, into)
	}

	value := reflect.ValueOf(from)

	number := value.CanInt() || value.CanFloat()
	if value.Kind() != into.Kind() && !(number && (into.CanInt() || into.CanFloat())) {
		return malformed(path, from, into)
	}

	into.Set(value.Convert(into.Type()))

	return nil
}

func malformed(path string, from any, into reflect.Value) error {
	return refuse("MalformedInput", "%s: found %v, expected %s", path, from, into.Type())
}

func bindText(path, text string, into reflect.Value) error {
	var err error

	switch {
	case into.Kind() == reflect.String:
		into.SetString(text)
	case into.Kind() == reflect.Bool:
		var b bool

		b, err = strconv.ParseBool(text)
		into.SetBool(b)
	case into.CanInt():
		var n int64

		n, err = strconv.ParseInt(text, 10, into.Type().Bits())
		into.SetInt(n)
	case into.CanFloat():
		var x float64

		x, err = strconv.ParseFloat(text, 64)
		into.SetFloat(x)
	default:
		err = strconv.ErrSyntax
	}

	if err != nil {
		return malformed(path, text, into)
	}

	return nil
}

func bindTime(path string, from any, into reflect.Value) error {
	var at time.Time

	switch from := from.(type) {
	case time.Time:
		at = from
	case float64:
		at = fromEpoch(from)
	case int64:
		at = time.Unix(from, 0)
	case string:
		parsed, err := time.Parse(time.RFC3339Nano, from)
		if err != nil {
			return malformed(path, from, into)
		}

		at = parsed
	default:
		return malformed(path, from, into)
	}

	into.Set(reflect.ValueOf(at.UTC()))

	return nil
}

func fromEpoch(seconds float64) time.Time { return time.UnixMilli(int64(seconds * 1000)) }

func bindStruct(path string, from any, into reflect.Value) error {
	members, ok := from.(map[string]any)
	if !ok {
		return malformed(path, from, into)
	}

	for _, name := range slices.Sorted(maps.Keys(members)) {
		field := into.FieldByName(name)
		if !field.IsValid() || !field.CanSet() {
			continue // like AWS: a newer SDK may send members that this version does not know
		}

		if field.Kind() == reflect.Interface {
			return refuse("InvalidParameterValue", "%s.%s is not part of this stand-in", path, name)
		}

		if err := bind(path+"."+name, members[name], field); err != nil {
			return err
		}
	}

	return nil
}

func bindList(path string, from any, into reflect.Value) error {
	elements, ok := from.([]any)
	if !ok && from != "" { // the Query protocol writes an empty list as an empty string
		return malformed(path, from, into)
	}

	list := reflect.MakeSlice(into.Type(), len(elements), len(elements))
	for i, element := range elements {
		if err := bind(fmt.Sprintf("%s[%d]", path, i), element, list.Index(i)); err != nil {
			return err
		}
	}

	into.Set(list)

	return nil
}

// tree converts a value into a tree. A missing value is nil.
func tree(value reflect.Value) any {
	switch {
	case value.Kind() == reflect.Pointer:
		if value.IsNil() {
			return nil
		}

		return tree(value.Elem())
	case value.Type() == timeType:
		return value.Interface()
	case value.CanInt():
		return value.Int()
	case value.CanFloat():
		return value.Float()
	}

	switch value.Kind() {
	case reflect.Bool:
		return value.Bool()
	case reflect.String:
		if value.Len() > 0 || value.Type().PkgPath() == "" {
			return value.String()
		}
	case reflect.Slice:
		if value.IsNil() {
			return nil
		}

		list := make([]any, value.Len())
		for i := range list {
			list[i] = tree(value.Index(i))
		}

		return list
	case reflect.Struct:
		members := map[string]any{}

		for field, member := range value.Fields() {
			if !field.IsExported() || field.Name == "ResultMetadata" || field.Anonymous {
				continue
			}

			if one := tree(member); one != nil {
				members[field.Name] = one
			}
		}

		return members
	}

	return nil
}
