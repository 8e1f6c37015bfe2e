package statemachine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// DecodeStrict reads exactly one JSON value and refuses what it does not know.
func DecodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()

	if err := d.Decode(into); err != nil {
		return describeJSON(data, err)
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("found more after the JSON value, expected its end")
	}

	return CheckJSON(data)
}

// Decode reads what another version of Lockstep, or AWS, may have added fields to.
func Decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return describeJSON(data, err)
	}

	return nil
}

// CheckJSON says where something is not JSON, or which key of an object is there twice:
// encoding/json lets the last one win.
func CheckJSON(data []byte) error {
	if err := json.Unmarshal(data, new(any)); err != nil {
		return describeJSON(data, err)
	}

	if path := twice(json.NewDecoder(bytes.NewReader(data)), ""); path != "" {
		return fmt.Errorf("%s: found it twice, expected it once", path)
	}

	return nil
}

// twice reads the next value, and returns the path of the first key that an object in it has twice.
func twice(d *json.Decoder, path string) string {
	token, _ := d.Token()
	if token != json.Delim('{') && token != json.Delim('[') {
		return ""
	}

	seen, found := map[string]bool{}, ""

	for i := 0; d.More(); i++ {
		inner := fmt.Sprintf("%s[%d]", path, i)

		if token == json.Delim('{') {
			name, _ := d.Token()
			key := name.(string)

			inner = strings.TrimPrefix(path+"."+key, ".")
			if seen[key] {
				found = cmp.Or(found, inner)
			}

			seen[key] = true
		}

		found = cmp.Or(found, twice(d, inner))
	}

	_, _ = d.Token() // its end

	return found
}

func describeJSON(data []byte, err error) error {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("line %d: not JSON: %w", line, err)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: found %s, expected %s", cmp.Or(kind.Field, "the whole of it"),
			article(kind.Value), inJSON(kind.Type))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not JSON: it ends too early")
	}

	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("%s: found a field that is not known; is it misspelled?",
			strings.Trim(field, `"`))
	}

	return err
}

// inJSON names a Go type in the words of whoever writes the JSON.
func inJSON(t reflect.Type) string {
	if t == reflect.TypeFor[Duration]() {
		return aDuration
	}

	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}

	return "a " + noun
}
