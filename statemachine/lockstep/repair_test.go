package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"lockstep/statemachine"
)

func TestDoctorAndRepair(t *testing.T) {
	moved := statemachine.Finding{Text: "alias b of orders names version 1",
		Repair: "make b carry v2 again"}
	mended, failed := moved, moved

	mended.Repaired, failed.Failed = true, "not allowed"
	for name, c := range map[string]struct {
		args   []string
		answer statemachine.Diagnosis
		dryRun bool
		code   int
		says   string
	}{
		"all is well": {[]string{"doctor"}, statemachine.Diagnosis{}, true, 0,
			"No drift: everything matches the ledger."},
		"a release runs": {[]string{"doctor"}, statemachine.Diagnosis{UnderWay: "v2"}, true, 0,
			"v2 is under way"},
		"something is wrong": {[]string{"doctor"}, statemachine.Diagnosis{Findings: []statemachine.Finding{moved}}, true, 5, "- alias b of orders names version 1\n  repair would: make b carry v2 again"},
		"as JSON": {[]string{"doctor", "--json"},
			statemachine.Diagnosis{Findings: []statemachine.Finding{moved}}, true, 5, `"text": "alias b of orders names version 1"`},
		"a person must": {[]string{"repair"}, statemachine.Diagnosis{
			Findings: []statemachine.Finding{{Text: "lost"}}}, false, 5, "- lost\n  repair cannot do this"},
		"it is mended": {[]string{"repair"}, statemachine.Diagnosis{Findings: []statemachine.Finding{mended}}, false, 0, "done: make b carry v2 again"},
		"it would be mended": {[]string{"repair", "--dry-run"},
			statemachine.Diagnosis{Findings: []statemachine.Finding{moved}}, true, 5, "repair would"},
		"it can't be mended": {[]string{"repair"}, statemachine.Diagnosis{Findings: []statemachine.Finding{mended, failed}}, false, 5, "failed: not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.lambda = func(w http.ResponseWriter, r *http.Request) {
				var in statemachine.RepairInput

				data, _ := io.ReadAll(r.Body)
				if err := json.Unmarshal(data, &in); err != nil || in.DryRun != c.dryRun ||
					!strings.Contains(r.URL.Path, "/lockstep-shop-repair/invocations") {
					t.Errorf("called %s with %s: %v", r.URL.Path, data, err)
				}

				_ = json.NewEncoder(w).Encode(c.answer)
			}

			code, stdout, stderr := a.run(c.args...)
			if code != c.code || !strings.Contains(stdout, c.says) {
				t.Errorf("exit %d, expected %d\n%s%s", code, c.code, stdout, stderr)
			}
		})
	}
}

func TestDoctor_Fails(t *testing.T) {
	a := newAccount(t)

	a.lambda = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(w, `{"errorType":"x","errorMessage":"connect to the database: refused"}`)
	}
	if code, _, stderr := a.run("doctor"); code != 4 ||
		!strings.Contains(stderr, "connect to the database: refused") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
