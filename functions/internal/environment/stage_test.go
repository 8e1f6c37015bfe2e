package environment_test

import (
	"testing"

	sm "lockstep/statemachine"
)

// The stage is written whether or not it is right: that is one call, and so is to ask.
func TestStage_Sync(t *testing.T) {
	a := newAccount(t)
	now := sm.EnvironmentState{InSync: true, Release: "v1"}

	if _, err := a.layers().Stage.Sync(t.Context(), document(), now, now); err != nil {
		t.Fatal(err)
	}

	a.wrote("stage a a v1")
}

// A rollback has the stage call the fallback's aliases until active's name the same.
func TestStage_Rollback(t *testing.T) {
	a := newAccount(t)

	rest, err := a.layers().Stage.Rollback(t.Context(), document(),
		sm.EnvironmentState{Release: "v1"})
	if err != nil {
		t.Fatal(err)
	}

	a.wrote("stage a b v1")

	if _, err := rest(t.Context()); err != nil {
		t.Fatal(err)
	}

	a.wrote("stage a b v1", "stage a a v1")
}

func TestStage_WithoutTheLease(t *testing.T) {
	a := newAccount(t)
	a.takeOver()

	state := sm.EnvironmentState{Release: "v1"}
	_, synced := a.layers().Stage.Sync(t.Context(), document(), state, state)
	_, rolledBack := a.layers().Stage.Rollback(t.Context(), document(), state)
	restored := a.layers().Stage.Restore(t.Context(), document(), state)

	for _, err := range []error{synced, rolledBack, restored} {
		if sm.Name(err) != sm.LockLost {
			t.Errorf("found %v, expected LockLost", err)
		}
	}

	a.wrote()
}

func TestStage_Diff(t *testing.T) {
	for stage, expected := range map[string][]string{
		"a v0": nil,
		"b v0": {"stageMoved api-a"},
		"a v1": {"stageMoved api-a"},
		"a ":   {"stageMoved api-a"},
	} {
		a := newAccount(t)
		a.stages[sm.A] = stage
		found, err := a.layers().Stage.Diff(t.Context(), sm.A, sm.EnvironmentState{Release: "v0"})
		is(t, found, err, expected...)
	}
}
