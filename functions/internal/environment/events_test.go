package environment_test

import (
	"testing"

	sm "lockstep/statemachine"
)

// Only orders has event sources.
func TestEvents_Sync(t *testing.T) {
	a := newAccount(t)

	for range 2 { // the second time it finds nothing to move
		if err := a.layers().Events.Sync(t.Context(), document(), sm.A); err != nil {
			t.Fatal(err)
		}
	}

	a.wrote("point orders live 0")
}

func TestEvents_Sync_Marks(t *testing.T) {
	a := newAccount(t)
	doc := document()
	doc.StaleWriter = true

	if err := a.layers().Events.Sync(t.Context(), doc, sm.B); err != nil {
		t.Fatal(err)
	}

	a.wrote("point orders live 1")

	if a.marks["orders live"] == "" {
		t.Errorf("found the marks %v", a.marks)
	}
}

func TestEvents_Sync_WithoutTheLease(t *testing.T) {
	a := newAccount(t)
	a.takeOver()

	err := a.layers().Events.Sync(t.Context(), document(), sm.A)
	if sm.Name(err) != sm.LockLost {
		t.Errorf("found %v, expected LockLost", err)
	}

	a.wrote()
}

// A function that the state does not name is compared with the alias of the environment.
func TestEvents_Diff(t *testing.T) {
	a := newAccount(t)
	state := func(orders string) sm.EnvironmentState {
		return sm.EnvironmentState{Functions: map[string]sm.FunctionState{
			"catalog": {Version: "9"}, "orders": {Version: orders}}}
	}

	found, err := a.layers().Events.Diff(t.Context(), sm.B, state("1"))
	is(t, found, err)

	found, err = a.layers().Events.Diff(t.Context(), sm.B, state("0"))
	is(t, found, err, "liveMoved orders")

	found, err = a.layers().Events.Diff(t.Context(), sm.B, sm.EnvironmentState{})
	is(t, found, err)

	found, err = a.layers().Events.Diff(t.Context(), sm.A, sm.EnvironmentState{})
	is(t, found, err, "liveMoved orders")

	a.wrote()
}
