package environment_test

import (
	"slices"
	"testing"

	sm "lockstep/statemachine"
)

// Only the alias that names another version is moved, and only in active.
func TestFunctions_Sync(t *testing.T) {
	a := newAccount(t)
	doc, none := document(), sm.EnvironmentState{}

	done, err := a.layers().Functions.Sync(t.Context(), doc, none, none)
	if err != nil || done != "1 alias moved" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote("point orders a 1")

	if done, err = a.layers().Functions.Sync(t.Context(), doc, none, none); done != "0 aliases moved" {
		t.Errorf("the second time it said %q, %v", done, err)
	}

	a.wrote("point orders a 1")
}

// Where a stale writer may be at work, an alias that is right is marked too.
func TestFunctions_Sync_Marks(t *testing.T) {
	a := newAccount(t)
	doc := document()
	doc.StaleWriter = true

	done, err := a.layers().Functions.Sync(t.Context(), doc, sm.EnvironmentState{},
		sm.EnvironmentState{})
	if err != nil || done != "1 alias moved" {
		t.Errorf("said %q, %v", done, err)
	}

	slices.Sort(a.writes)
	a.wrote("point catalog a 1", "point orders a 1")

	if a.marks["catalog a"] == "" || a.marks["orders a"] == "" {
		t.Errorf("found the marks %v", a.marks)
	}
}

func TestFunctions_Sync_WithoutTheLease(t *testing.T) {
	a := newAccount(t)
	a.takeOver()

	_, err := a.layers().Functions.Sync(t.Context(), document(), sm.EnvironmentState{},
		sm.EnvironmentState{})
	if sm.Name(err) != sm.LockLost {
		t.Errorf("found %v, expected LockLost", err)
	}

	a.wrote()
}

// A rollback moves no alias at once: they are slow, and the stage calls the fallback's by then.
func TestFunctions_Rollback(t *testing.T) {
	a := newAccount(t)

	rest, err := a.layers().Functions.Rollback(t.Context(), document(), sm.EnvironmentState{})
	if err != nil {
		t.Fatal(err)
	}

	a.wrote()

	if done, err := rest(t.Context()); err != nil || done != "1 alias moved" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote("point orders a 1")
}

// A release of one function leaves the other's alias alone, wherever it is.
func TestFunctions_Deploy(t *testing.T) {
	a := newAccount(t)
	state := sm.EnvironmentState{Functions: map[string]sm.FunctionState{"orders": {Version: "1"}}}
	m := sm.Manifest{Release: "v2", Functions: map[string]sm.Artifact{
		"catalog": {Object: "catalog.zip", SHA256: "c2"}}}

	if err := a.layers().Functions.Prepare(t.Context(), m, &state); err != nil {
		t.Fatal(err)
	}

	a.wrote("publish catalog")

	if got := state.Functions["catalog"]; got != (sm.FunctionState{Release: "v2", Version: "of c2",
		SHA256: "c2"}) || state.Functions["orders"].Version != "1" {
		t.Errorf("found the state %+v", state.Functions)
	}

	done, err := a.layers().Functions.Deploy(t.Context(), document(), m, state)
	if err != nil || done != "functions: 1" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote("publish catalog", "point catalog a of c2")
}

// Of what could not be published the state says nothing.
func TestFunctions_Prepare_Fails(t *testing.T) {
	a := newAccount(t)

	var state sm.EnvironmentState

	m := sm.Manifest{Release: "v2", Functions: map[string]sm.Artifact{"catalog": {SHA256: "c2"},
		"orders": {}}}
	if err := a.layers().Functions.Prepare(t.Context(), m, &state); err == nil ||
		state.Functions != nil {
		t.Errorf("%v; found the state %+v", err, state.Functions)
	}
}

// It goes by the state, and not by what the other environment has.
func TestFunctions_Restore(t *testing.T) {
	a := newAccount(t)
	state := sm.EnvironmentState{Functions: map[string]sm.FunctionState{
		"catalog": {Version: "1"}, "orders": {Version: "7"}}}

	if err := a.layers().Functions.Restore(t.Context(), document(), state); err != nil {
		t.Fatal(err)
	}

	a.wrote("point orders a 7")
}

func TestFunctions_Diff(t *testing.T) {
	a := newAccount(t)
	state := func(catalog, orders string) sm.EnvironmentState {
		return sm.EnvironmentState{Functions: map[string]sm.FunctionState{
			"catalog": {Version: catalog}, "orders": {Version: orders}}}
	}

	found, err := a.layers().Functions.Diff(t.Context(), sm.A, state("1", "0"))
	is(t, found, err)

	found, err = a.layers().Functions.Diff(t.Context(), sm.A, state("2", "1"))
	is(t, found, err, "aliasMoved catalog", "aliasMoved orders")

	found, err = a.layers().Functions.Diff(t.Context(), sm.B, state("1", "0"))
	is(t, found, err, "aliasMoved orders")

	a.wrote()
}
