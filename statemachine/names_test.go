package statemachine_test

import (
	"testing"

	. "lockstep/statemachine"
)

func TestNames(t *testing.T) {
	if A.Other() != B || B.Other() != A {
		t.Error("each environment is the other's other")
	}

	for _, pair := range [][2]string{
		{A.Alias(), "a"}, {B.Stage(), "api-b"},
		{ControlParameter("shop"), "/lockstep/shop/environments"}, {ManifestKey("v2"),
			"releases/v2/release.json"},
		{RecordKey("v2"), "ledger/releases/v2.json"}, {EnvironmentKey(A), "ledger/environments/a.json"},
		{RetryCommand("arn:aws:states:eu-west-1:1:execution:shop-release:77", "v2"),
			`aws stepfunctions start-execution --state-machine-arn arn:aws:states:eu-west-1:1:stateMachine:shop-release --input '{"release":"v2"}'`},
	} {
		if pair[0] != pair[1] {
			t.Errorf("found %s, expected %s", pair[0], pair[1])
		}
	}

	for id, valid := range map[string]bool{"v2": true, "2024-05-01_a.b": true, "": false, ".": false,
		"..": false, "a/b": false, "-x": false, "v 2": false, "ü": false} {
		if ValidReleaseID(id) != valid {
			t.Errorf("%q: valid is %v, expected %v", id, !valid, valid)
		}
	}
}
