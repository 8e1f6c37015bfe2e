package entry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"lockstep/statemachine"
)

// line is a line of the log.
type line struct {
	Level string `json:"level"`
	Step  string `json:"step"`
	Call  struct {
		Release, Execution string
		Fence              int64
		Attempt            int
	} `json:"call"`
	Result struct {
		Weight  int
		Verdict string
	} `json:"result"`
	Error string `json:"error"`
	Cause string `json:"cause"`
}

func logged(t *testing.T, err error) (line, string) {
	t.Helper()

	var out bytes.Buffer

	run := Logged(NewLogger(&out), statemachine.CheckAlarms,
		func(_ context.Context, in statemachine.RampInput) (statemachine.Document, error) {
			doc := in.Document
			doc.Verdict = statemachine.Healthy

			return doc, err
		})
	in := statemachine.RampInput{
		Attempt: statemachine.Attempt{Retry: 2}, TaskToken: "a-secret-token",
		Document: statemachine.Document{
			Release: "v2", Execution: "arn:exec:v2", Fence: 7, Weight: 500,
			Event: json.RawMessage(`{"reason":"an input"}`),
		},
	}

	_, got := run(t.Context(), in)
	if !errors.Is(got, err) {
		t.Errorf("returned %v, expected %v", got, err)
	}

	var l line
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		t.Fatalf("%s: %v", out.Bytes(), err)
	}

	return l, out.String()
}

func TestLogged_Call(t *testing.T) {
	l, text := logged(t, nil)

	if l.Level != "INFO" || l.Step != "CheckAlarms" || l.Call.Release != "v2" ||
		l.Call.Execution != "arn:exec:v2" || l.Call.Fence != 7 || l.Call.Attempt != 3 ||
		l.Result.Verdict != "healthy" || l.Result.Weight != 500 {
		t.Errorf("found %s", text)
	}

	for _, secret := range []string{"a-secret-token", "an input"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log says %q: %s", secret, text)
		}
	}
}

func TestLogged_Errors(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		level  string
		called string
	}{
		"tried again": {statemachine.Errorf(statemachine.Throttled, "busy"), "WARN", "Throttled"},
		"named":       {statemachine.Errorf(statemachine.DeployFailed, "no such key"), "ERROR", "DeployFailed"},
		"unnamed":     {errors.New("no such key"), "ERROR", "errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			l, text := logged(t, c.err)
			if l.Level != c.level || l.Error != c.called || l.Cause != c.err.Error() {
				t.Errorf("found %s, expected %s and %s", text, c.level, c.called)
			}
		})
	}
}

func TestNewLogger_Level(t *testing.T) {
	for set, wantInfo := range map[string]bool{
		"": true, "DEBUG": true, "INFO": true, "WARN": false, "ERROR": false, "nonsense": true,
	} {
		t.Setenv(levelVariable, set)

		var out bytes.Buffer
		NewLogger(&out).Info("hello")

		if got := out.Len() > 0; got != wantInfo {
			t.Errorf("%s: wrote %q, expected a line: %t", set, out.String(), wantInfo)
		}
	}
}
