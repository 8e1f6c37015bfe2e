package asl

import (
	"fmt"
	"testing"
)

const choiceInput = `{"s": "beta", "n": 2, "big": 1e3, "yes": true, "null": null, "list": [1],
	"t": "2026-01-31T12:00:00Z", "u": "2026-01-31T13:00:00+01:00", "m": 2, "star": "a*b"}`

func TestChoice_Operators(t *testing.T) {
	for _, c := range []struct {
		variable, operator, operand string
		want                        bool
	}{
		{"s", "StringEquals", `"beta"`, true},
		{"s", "StringEquals", `"Beta"`, false},
		{"n", "StringEquals", `"2"`, false},
		{"s", "StringEqualsPath", `"$.s"`, true},
		{"s", "StringLessThan", `"gamma"`, true},
		{"s", "StringLessThanPath", `"$.s"`, false},
		{"s", "StringLessThanEquals", `"beta"`, true},
		{"s", "StringGreaterThan", `"alpha"`, true},
		{"s", "StringGreaterThanEquals", `"gamma"`, false},
		{"s", "StringMatches", `"b*a"`, true},
		{"s", "StringMatches", `"*eta"`, true},
		{"s", "StringMatches", `"*b"`, false},
		{"star", "StringMatches", `"a\\*b"`, true},
		{"s", "StringMatches", `"b\\*a"`, false},
		{"s", "StringMatches", `"*"`, true},
		{"n", "NumericEquals", `2.0`, true},
		{"big", "NumericEquals", `1000`, true},
		{"s", "NumericEquals", `2`, false},
		{"n", "NumericEqualsPath", `"$.m"`, true},
		{"n", "NumericLessThan", `3`, true},
		{"n", "NumericLessThanEquals", `1`, false},
		{"n", "NumericGreaterThan", `1`, true},
		{"n", "NumericGreaterThanEquals", `2`, true},
		{"yes", "BooleanEquals", `true`, true},
		{"yes", "BooleanEquals", `false`, false},
		{"s", "BooleanEquals", `true`, false},
		{"yes", "BooleanEqualsPath", `"$.yes"`, true},
		{"t", "TimestampEquals", `"2026-01-31T12:00:00Z"`, true},
		{"t", "TimestampEqualsPath", `"$.u"`, true},
		{"t", "TimestampLessThan", `"2026-02-01T00:00:00Z"`, true},
		{"t", "TimestampLessThanEquals", `"2026-01-01T00:00:00Z"`, false},
		{"t", "TimestampGreaterThan", `"2026-01-01T00:00:00Z"`, true},
		{"t", "TimestampGreaterThanEquals", `"2026-01-31T12:00:00Z"`, true},
		{"s", "TimestampEquals", `"2026-01-31T12:00:00Z"`, false},
		{"null", "IsNull", `true`, true},
		{"s", "IsNull", `false`, true},
		{"s", "IsPresent", `true`, true},
		{"gone", "IsPresent", `true`, false},
		{"gone", "IsPresent", `false`, true},
		{"null", "IsPresent", `true`, true},
		{"s", "IsString", `true`, true},
		{"n", "IsString", `true`, false},
		{"n", "IsNumeric", `true`, true},
		{"yes", "IsBoolean", `true`, true},
		{"t", "IsTimestamp", `true`, true},
		{"s", "IsTimestamp", `true`, false},
	} {
		rule := fmt.Sprintf(`{"Variable": "$.%s", %q: %s, "Next": "Yes"}`, c.variable, c.operator,
			c.operand)
		expect(t, rule, ended(decide(t, rule)), map[bool]string{true: "FAILED yes",
			false: "FAILED no"}[c.want])
	}
}

func decide(t *testing.T, rule string) Result {
	t.Helper()

	return newWorld(choiceInput, echo).run(t, machine("C", `"C": {"Type": "Choice", "Choices": [`+rule+
		`], "Default": "No"}`,
		`"Yes": {"Type": "Fail", "Error": "yes"}`, `"No": {"Type": "Fail", "Error": "no"}`))
}

func TestChoice_AndOrNot(t *testing.T) {
	yes, no := `{"Variable": "$.n", "NumericEquals": 2}`, `{"Variable": "$.n", "NumericEquals": 3}`
	for rule, want := range map[string]string{
		`"And": [` + yes + `,` + yes + `]`:                   "FAILED yes",
		`"And": [` + yes + `,` + no + `]`:                    "FAILED no",
		`"Or": [` + no + `,` + yes + `]`:                     "FAILED yes",
		`"Or": [` + no + `,` + no + `]`:                      "FAILED no",
		`"Not": ` + no:                                       "FAILED yes",
		`"Not": {"And": [` + yes + `, {"Not": ` + no + `}]}`: "FAILED no",
		`"And": [{"Variable": "$.gone", "IsPresent": true}, {"Variable": "$.gone", "IsNull": true}]`: "FAILED no",
	} {
		expect(t, rule, ended(decide(t, `{`+rule+`, "Next": "Yes"}`)), want)
	}
}

func TestChoice_RunTimeErrors(t *testing.T) {
	for rule, want := range map[string]string{
		`{"Variable": "$.n", "NumericEquals": 3, "Next": "Done"}`:            "FAILED States.NoChoiceMatched",
		`{"Variable": "$.gone", "NumericEquals": 3, "Next": "Done"}`:         "FAILED States.Runtime",
		`{"Variable": "$.n", "NumericEqualsPath": "$.gone", "Next": "Done"}`: "FAILED States.Runtime",
		`{"Not": {"Variable": "$.gone", "IsNull": true}, "Next": "Done"}`:    "FAILED States.Runtime",
	} {
		result := newWorld(choiceInput, echo).run(t,
			machine("C", `"C": {"Type": "Choice", "Choices": [`+rule+`]}`, done))
		expect(t, rule, ended(result), want)
	}
}

func TestChoice_FirstRuleThatHolds(t *testing.T) {
	result := newWorld(choiceInput, echo).run(t, machine("C", `"C": {"Type": "Choice", "InputPath": "$.list", "OutputPath": "$[0]", "Choices": [
		{"Variable": "$[0]", "NumericEquals": 2, "Next": "Wrong"},
		{"Variable": "$[0]", "NumericEquals": 1, "Next": "Done"},
		{"Variable": "$[0]", "IsPresent": true, "Next": "Wrong"}]}`, done, `"Wrong": {"Type": "Fail"}`))
	expect(t, "end", ended(result), "1")
}
