package environment_test

import (
	"slices"
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

// The stage comes last, since it stamps the release and calls what the others have written.
func TestLayers_Sync(t *testing.T) {
	a := newAccount(t)

	done, err := a.layers().Sync(t.Context(), document(), sm.EnvironmentState{}, a.upload("v1"))
	if err != nil || done != "1 alias moved" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote("point orders a 1", "put a assets/v1.js of v1", "put a index.html of v1",
		"put a v1.html of v1", "stage a a v1")
}

// Every function is published, and so verified, before the first alias moves.
func TestLayers_Deploy(t *testing.T) {
	a := newAccount(t)
	uploaded := a.upload("v2")
	m := sm.Manifest{Release: "v2",
		Functions: map[string]sm.Artifact{"catalog": {SHA256: "c2"}, "orders": {SHA256: "o2"}},
		Site: &sm.Site{Artifact: sm.Artifact{Object: "site.zip",
			SHA256: uploaded.Site.SHA256}}}

	var state sm.EnvironmentState

	done, err := a.layers().Deploy(t.Context(), document(), m, &state)
	if err != nil || done != "functions: 2, a new site" {
		t.Errorf("said %q, %v", done, err)
	}

	slices.Sort(a.writes[:2]) // they are published side by side
	a.wrote("publish catalog", "publish orders", "point catalog a of c2", "point orders a of o2",
		"put a assets/v2.js of v2", "put a index.html of v2", "put a v2.html of v2", "stage a a v2")

	if state.Release != "v2" || state.Sequence != 2 || state.InSync ||
		state.Functions["orders"].Version != "of o2" || *state.Site != *uploaded.Site {
		t.Errorf("found the state %+v", state)
	}
}

// A layer that cannot be prepared keeps every layer from being deployed.
func TestLayers_Deploy_Fails(t *testing.T) {
	a := newAccount(t)
	m := sm.Manifest{Release: "v2", Functions: map[string]sm.Artifact{"catalog": {SHA256: "c2"},
		"orders": {}}}

	var state sm.EnvironmentState
	if _, err := a.layers().Deploy(t.Context(), document(), m, &state); err == nil {
		t.Error("found no error")
	}

	for _, write := range a.writes {
		if !strings.HasPrefix(write, "publish") {
			t.Errorf("wrote %q", write)
		}
	}
}

// The pages go first, the aliases and assets when there is time; the stage is Rollback's own.
func TestLayers_Rollback(t *testing.T) {
	a := newAccount(t)

	rest, err := a.layers().Rollback(t.Context(), document(), a.upload("v1"))
	if err != nil {
		t.Fatal(err)
	}

	pages := []string{"put a index.html of v1", "put a v1.html of v1"}
	a.wrote(pages...)

	if done, err := rest(t.Context()); err != nil || done != "1 alias moved" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote(append(pages, "point orders a 1", "put a assets/v1.js of v1")...)
}

// What Diff finds, Restore repairs.
func TestLayers_Restore(t *testing.T) {
	a := newAccount(t)
	state := a.upload("v1")
	state.Functions = map[string]sm.FunctionState{"catalog": {Version: "1"}, "orders": {Version: "1"}}

	found, err := a.layers().Diff(t.Context(), sm.A, state)
	is(t, found, err, "aliasMoved orders", "pageChanged assets/v1.js", "pageChanged index.html",
		"pageChanged v1.html", "stageMoved api-a")

	if err := a.layers().Restore(t.Context(), document(), state); err != nil {
		t.Fatal(err)
	}

	a.wrote("point orders a 1", "put a assets/v1.js of v1", "put a index.html of v1",
		"put a v1.html of v1", "stage a a v1")

	found, err = a.layers().Diff(t.Context(), sm.A, state)
	is(t, found, err)
}
