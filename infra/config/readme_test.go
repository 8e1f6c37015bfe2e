package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

// sparse says of everything no more than it must.
const sparse = `{"app":"shop",
	"functions": [{"name":"f","runtime":"provided.al2023","handler":"bootstrap","events":[{"queue":"arn:aws:sqs:eu-west-1:123456789012:q"}]}],
	"database": {"new":{"name":"shop"}}, "probe": {"function":"check"}, "github": {"repository":"a/b"},
	"metrics": [{"name":"orders","better":"higher","events":{"namespace":"Shop","metric":"Orders","dimensions":{"Stage":"{stage}"}}}]}`

// TestREADME: the table has every key that cdk.json may have, no other, and the defaults that the
// reader gives.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	c, err := Parse([]byte(sparse))
	if err != nil {
		t.Fatal(err)
	}

	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}

	var given any
	if err := json.Unmarshal(data, &given); err != nil {
		t.Fatal(err)
	}

	keys := map[string]bool{}
	keysOf(reflect.TypeFor[Config](), "", keys)

	for _, row := range regexp.MustCompile(
		"(?m)^\\| `([^`]+)` \\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		key, says := row[1], strings.Trim(row[2], "` ")
		if !keys[key] {
			t.Errorf("README.md: %s: found a key that cdk.json does not have, or twice", key)
		}

		delete(keys, key)

		if is := at(given, key); says != is {
			t.Errorf("README.md: %s: found the default %q, expected %q", key, says, is)
		}
	}

	for _, key := range slices.Sorted(maps.Keys(keys)) {
		t.Errorf("README.md: %s: found no such row in the table", key)
	}
}

// keysOf collects the paths of all keys below a type.
func keysOf(t reflect.Type, path string, keys map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}

		t = t.Elem()
	}

	if t.Kind() != reflect.Struct || t == reflect.TypeFor[sm.Duration]() {
		keys[strings.TrimSuffix(path, "[]")] = true
		return
	}

	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keysOf(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."), keys)
	}
}

// at is the default at a path, as the table writes it: empty for what has none, and for what
// sparse had to say itself.
func at(value any, path string) string {
	var said any

	_ = json.Unmarshal([]byte(sparse), &said)
	find := func(value any) any {
		for _, name := range strings.Split(path, ".") {
			name, isList := strings.CutSuffix(name, "[]")
			object, _ := value.(map[string]any)

			value = object[name]
			if list, ok := value.([]any); isList && ok && len(list) > 0 {
				value = list[0]
			} else if isList {
				value = nil
			}
		}

		return value
	}

	found := find(value)
	switch v := found.(type) {
	case nil, bool, []any, map[string]any:
		return ""
	case string:
		if v == "0s" || find(said) != nil {
			return ""
		}

		return short.ReplaceAllString(v, "$1")
	case float64:
		if v == 0 || find(said) != nil {
			return ""
		}

		return fmt.Sprint(v)
	}

	return fmt.Sprint(found)
}

// short leaves out the zeros that Go writes behind a duration: 1h0m0s.
var short = regexp.MustCompile(`^(\d+h|\d+h\d+m|\d+m)(0m)?0s$`)
