package statemachine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// definition is the definition as deployed, with each Lambda named after its task.
func definition() string {
	return regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllString(statemachine.Definition, "$1")
}

// state has the fields of the definition that the contract is about.
type state struct {
	Type, SecondsPath, ErrorPath, CausePath string
	Parameters                              map[string]any
	Choices                                 []map[string]any
	Retry, Catch                            []struct {
		ErrorEquals []string
		ResultPath  string
	}
}

func states(t *testing.T) map[string]state {
	t.Helper()

	if _, err := asl.Parse(definition()); err != nil {
		t.Fatal(err)
	}

	var d struct{ States map[string]state }
	if err := json.Unmarshal([]byte(definition()), &d); err != nil {
		t.Fatal(err)
	}

	return d.States
}

// sameSet compares two sets of words, whatever their order.
func sameSet[T ~string](t *testing.T, what string, got, want []T) {
	t.Helper()

	got, want = slices.Compact(slices.Sorted(slices.Values(got))), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestContract_Tasks(t *testing.T) {
	var used []statemachine.Task
	for _, m := range regexp.MustCompile(`\$\{(.*?)\}`).FindAllStringSubmatch(statemachine.Definition,
		-1) {
		used = append(used, statemachine.Task(m[1]))
	}

	sameSet(t, "tasks that the definition calls", used, statemachine.Tasks())
}

func TestContract_ErrorNames(t *testing.T) {
	var matched []string

	for _, s := range states(t) {
		for _, c := range slices.Concat(s.Retry, s.Catch) {
			for _, name := range c.ErrorEquals {
				if !strings.Contains(name, ".") { // those with a dot are AWS's own
					matched = append(matched, name)
				}
			}
		}
	}

	sameSet(t, "errors that the definition matches", matched, statemachine.ErrorNames())
}

// TestContract_Payloads holds what is handed to the steps, and what stands in for a document, to
// the Go types that read it.
func TestContract_Payloads(t *testing.T) {
	for name, s := range states(t) {
		var (
			given  map[string]any
			reader reflect.Type
		)

		payload, _ := s.Parameters["Payload"].(map[string]any)
		switch {
		case s.Type == "Pass":
			given, reader = s.Parameters, reflect.TypeFor[statemachine.Document]()
		case s.Parameters["FunctionName"] == "Begin":
			given, reader = payload, reflect.TypeFor[statemachine.BeginInput]()
		case s.Parameters["FunctionName"] == "Ramp":
			given, reader = payload, reflect.TypeFor[statemachine.RampInput]()
		case s.Type == "Task":
			given, reader = payload, reflect.TypeFor[statemachine.StepInput]()
		default:
			continue
		}

		for field, value := range given {
			plain, dynamic := strings.CutSuffix(field, ".$")
			if _, ok := lookup(reader, plain); !ok {
				t.Errorf("%s: %s is no field of %v", name, plain, reader)
			}

			if dynamic {
				checkSource(t, name, fmt.Sprint(value))
			} else if !declared("$."+plain, value) {
				t.Errorf("%s: %s is %v, expected one of %v", name, plain, value, constants["$."+plain])
			}
		}

		for _, field := range fields(reader) {
			if key, _ := tag(field); reader != reflect.TypeFor[statemachine.Document]() &&
				given[key+".$"] == nil {
				t.Errorf("%s: nobody fills %s of %v", name, key, reader)
			}
		}
	}
}

// checkSource refuses a path that leads neither into the document nor into the context object.
func checkSource(t *testing.T, state, path string) {
	t.Helper()

	known := []string{"$", "$$.Execution.Id", "$$.Execution.Input", "$$.Task.Token",
		"$$.State.EnteredTime", "$$.State.RetryCount"}
	if slices.Contains(known, path) {
		return
	}

	if _, ok := documentField(path); !ok {
		t.Errorf("%s: %s is neither a field of Document nor one of %v", state, path, known)
	}
}

// constants lists what the fields of a document with declared values may hold.
var constants = map[string][]any{
	"$.next": {statemachine.NextSync, statemachine.NextBegin, statemachine.NextFinish,
		statemachine.NextRollback, statemachine.NextContract},
	"$.verdict": {statemachine.Healthy, statemachine.Breached, statemachine.Inconclusive},
	"$.outcome": {statemachine.Released, statemachine.RolledBack, statemachine.Superseded,
		statemachine.Refused},
	"$.weight": {statemachine.FullWeight},
}

func declared(path string, value any) bool {
	return slices.ContainsFunc(
		constants[path], func(constant any) bool { return fmt.Sprint(constant) == fmt.Sprint(value) })
}

func TestContract_Choices(t *testing.T) {
	kinds := map[string]reflect.Kind{"StringEquals": reflect.String, "NumericEquals": reflect.Int,
		"BooleanEquals": reflect.Bool}

	for name, s := range states(t) {
		for _, rule := range comparisons(s.Choices) {
			variable, _ := rule["Variable"].(string)

			found, ok := documentField(variable)
			if !ok || found.optional {
				t.Errorf("%s: %s must be a field of Document that is never omitted", name, variable)
				continue
			}

			for operator, operand := range rule {
				if operator == "Variable" || operator == "Next" {
					continue
				}

				if found.kind != kinds[operator] {
					t.Errorf("%s: %s compares %s, which is a %v", name, operator, variable, found.kind)
				}

				if found.kind != reflect.Bool && !declared(variable, operand) {
					t.Errorf("%s: %s is compared with %v, expected one of %v", name, variable, operand,
						constants[variable])
				}
			}
		}
	}
}

// comparisons lists the rules that compare something, within And, Or and Not too.
func comparisons(rules []map[string]any) (list []map[string]any) {
	for _, rule := range rules {
		if rule["Variable"] != nil {
			list = append(list, rule)
		}

		for _, inner := range slices.Collect(maps.Values(rule)) {
			inside, _ := inner.([]any)
			if one, ok := inner.(map[string]any); ok {
				inside = []any{one}
			}

			for _, r := range inside {
				list = append(list, comparisons([]map[string]any{r.(map[string]any)})...)
			}
		}
	}

	return list
}

func TestContract_Paths(t *testing.T) {
	failure := reflect.TypeFor[statemachine.Failure]()

	for name, s := range states(t) {
		if s.SecondsPath != "" {
			if found, ok := documentField(s.SecondsPath); !ok || found.optional ||
				found.kind != reflect.Int {
				t.Errorf("%s: SecondsPath %s must be a whole number in Document that is never omitted", name,
					s.SecondsPath)
			}
		}

		for _, path := range []string{s.ErrorPath, s.CausePath} {
			if found, ok := documentField(path); path != "" && (!ok || found.kind != reflect.String) {
				t.Errorf("%s: %s must be a string in Document", name, path)
			}
		}

		for _, c := range s.Catch {
			if name == "Begin" && c.ResultPath == "$" {
				continue // the input need not be an object that takes a failure in
			}

			if found, ok := documentField(c.ResultPath); !ok || found.of != failure {
				t.Errorf("%s: a Catch writes to %q, expected a Failure in Document", name, c.ResultPath)
			}
		}
	}

	if fields := []string{failure.Field(0).Tag.Get("json"),
		failure.Field(1).Tag.Get("json")}; !slices.Equal(fields, []string{"Error", "Cause"}) {
		t.Errorf("Failure has the fields %v, but a Catch writes Error and Cause", fields)
	}
}

// place is what a path of the definition finds in a Go type.
type place struct {
	kind     reflect.Kind
	of       reflect.Type
	optional bool
}

func documentField(path string) (place, bool) {
	inner, ok := strings.CutPrefix(path, "$.")
	if !ok {
		return place{}, false
	}

	return lookup(reflect.TypeFor[statemachine.Document](), inner)
}

func lookup(in reflect.Type, path string) (place, bool) {
	first, rest, deeper := strings.Cut(path, ".")

	for _, field := range fields(in) {
		key, optional := tag(field)
		if key != first {
			continue
		}

		of := field.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}

		if !deeper {
			return place{of.Kind(), of, optional}, true
		}

		found, ok := lookup(of, rest)
		found.optional = found.optional || optional

		return found, ok
	}

	return place{}, false
}

// fields are those of a struct and of what it embeds.
func fields(t reflect.Type) []reflect.StructField {
	if t.Kind() != reflect.Struct {
		return nil
	}

	return slices.DeleteFunc(reflect.VisibleFields(t),
		func(f reflect.StructField) bool { return f.Anonymous })
}

func tag(f reflect.StructField) (key string, optional bool) {
	key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return key, strings.Contains(options, "omit")
}

// TestStepInput_OfBefore: an execution that began under an older definition hands over the
// document alone.
func TestStepInput_OfBefore(t *testing.T) {
	for _, payload := range []string{
		`{"release":"v2","fence":3}`,
		`{"entered":"2026-01-02T03:04:05Z","retry":1,"document":{"release":"v2","fence":3}}`,
	} {
		var in statemachine.StepInput
		if err := json.Unmarshal([]byte(payload), &in); err != nil || in.Document.Release != "v2" ||
			in.Document.Fence != 3 || (in.Retry == 1) == in.Entered.IsZero() {
			t.Errorf("%s: read as %+v, %v", payload, in, err)
		}
	}
}
