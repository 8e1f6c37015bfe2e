package statemachine_test

import (
	"errors"
	"testing"

	. "lockstep/statemachine"
)

func TestError_Names(t *testing.T) {
	cause := errors.New("connection refused")

	throttled := Errorf(Throttled, "publish: %w", cause)
	for name, c := range map[string]struct {
		err        error
		name, text string
	}{
		"nothing":            {nil, "", ""},
		"no name of its own": {cause, "", "connection refused"},
		"named":              {Errorf(LockLost, "fence %d", 7), LockLost, "fence 7"},
		"named on the way": {Wrap(DeployFailed, "deploy v2", cause), DeployFailed,
			"deploy v2: connection refused"},
		"keeps the inner name": {Wrap(DeployFailed, "deploy v2", throttled), Throttled,
			"deploy v2: publish: connection refused"},
		"joined": {errors.Join(cause, throttled), Throttled,
			"connection refused\npublish: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			if Name(c.err) != c.name {
				t.Errorf("named %q, expected %q", Name(c.err), c.name)
			}

			if c.err != nil && c.err.Error() != c.text {
				t.Errorf("says %q, expected %q", c.err, c.text)
			}
		})
	}

	if Wrap(DeployFailed, "deploy", nil) != nil {
		t.Error("nothing wrapped is something")
	}

	if err := Wrap(DeployFailed, "deploy", throttled); !errors.Is(err, cause) ||
		!errors.Is(err, &Error{Name: Throttled}) || errors.Is(err, &Error{Name: StaleWrite}) {
		t.Errorf("%v does not match by cause and by name, and by nothing else", err)
	}
}

func TestFailure_Message(t *testing.T) {
	for name, c := range map[string]struct {
		failure *Failure
		says    string
	}{
		"none":  {nil, ""},
		"plain": {&Failure{Error: AlarmBreached, Cause: "alarm errors-a"}, "alarm errors-a"},
		"what a Lambda said": {&Failure{Error: DeployFailed,
			Cause: `{"errorMessage":"no such key","errorType":"DeployFailed"}`}, "no such key"},
		"other JSON": {&Failure{Error: "x", Cause: `{"a":1}`}, `{"a":1}`},
	} {
		if got := c.failure.Message(); got != c.says {
			t.Errorf("%s: found %q, expected %q", name, got, c.says)
		}
	}
}
