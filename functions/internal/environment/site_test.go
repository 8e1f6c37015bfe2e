package environment_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	sm "lockstep/statemachine"
)

// Entry pages refer to assets, so assets come first; old assets stay for open tabs, old entry
// pages do not.
func TestSite_Sync(t *testing.T) {
	a := newAccount(t)
	a.has(sm.A, "v0", "index.html", "v0.html", "assets/v0.js")
	a.has(sm.A, "", "unstamped.html")

	want := a.upload("v1")
	want.Site.Release = "v0" // who brought the bundle

	if _, err := a.layers().Site.Sync(t.Context(), document(), sm.EnvironmentState{InSync: true,
		Release: "v0"}, want); err != nil {
		t.Fatal(err)
	}

	a.wrote("put a assets/v1.js of v0", "put a index.html of v1", "put a v1.html of v1",
		"delete a unstamped.html", "delete a v0.html")

	if got := string(a.sites[sm.A]["index.html"].Body); got != "v1 at /api-a" {
		t.Errorf("index.html is %q", got)
	}
}

// Only an environment that is in sync and has the release is left as it is.
func TestSite_Sync_InSyncAlready(t *testing.T) {
	for _, c := range []struct {
		now    sm.EnvironmentState
		writes bool
	}{
		{sm.EnvironmentState{InSync: true, Release: "v1"}, false},
		{sm.EnvironmentState{InSync: false, Release: "v1"}, true},
		{sm.EnvironmentState{InSync: true, Release: "v0"}, true},
	} {
		a := newAccount(t)
		if _, err := a.layers().Site.Sync(t.Context(), document(), c.now, a.upload("v1")); err != nil {
			t.Fatal(err)
		}

		if wrote := len(a.writes) > 0; wrote != c.writes {
			t.Errorf("of %+v it wrote %q", c.now, a.writes)
		}
	}
}

func TestSite_Sync_WithoutASite(t *testing.T) {
	a := newAccount(t)
	a.has(sm.A, "v0", "index.html")

	if _, err := a.layers().Site.Sync(t.Context(), document(), sm.EnvironmentState{},
		sm.EnvironmentState{Release: "v1"}); err != nil {
		t.Fatal(err)
	}

	a.wrote()
}

// The lease is verified before each entry page, and once a second while assets are written.
func TestSite_LosesTheLease(t *testing.T) {
	for name, assets := range map[string]string{"before an entry page": "assets/",
		"among the assets": ""} { // by this prefix all pages are assets
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t)
				a.slow = 1100 * time.Millisecond

				state := a.upload("v1")
				state.Site.Assets = assets

				time.AfterFunc(time.Millisecond, a.takeOver) // while the first page is written

				if err := a.layers().Site.Restore(t.Context(), document(), state); sm.Name(err) != sm.LockLost {
					t.Errorf("found %v, expected LockLost", err)
				}

				a.wrote("put a assets/v1.js of v1")
			})
		})
	}
}

// There may be thousands of assets, so the lease is not verified before each.
func TestSite_VerifiesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		a.slow = 600 * time.Millisecond

		state := a.upload("v1")
		state.Site.Assets = "" // all three pages are assets

		if err := a.layers().Site.Restore(t.Context(), document(), state); err != nil {
			t.Fatal(err)
		}

		if a.verified != 2 || len(a.writes) != 3 {
			t.Errorf("verified %d times, expected 2; wrote %q", a.verified, a.writes)
		}
	})
}

// A rollback writes what viewers see first; the assets that open tabs need are there.
func TestSite_Rollback(t *testing.T) {
	a := newAccount(t)
	a.has(sm.A, "v2", "index.html", "v2.html", "assets/v2.js")

	rest, err := a.layers().Site.Rollback(t.Context(), document(), a.upload("v1"))
	if err != nil {
		t.Fatal(err)
	}

	entries := []string{"put a index.html of v1", "put a v1.html of v1", "delete a v2.html"}
	a.wrote(entries...)

	a.bundles = nil // it was read once

	if _, err := rest(t.Context()); err != nil {
		t.Fatal(err)
	}

	a.wrote(append(entries, "put a assets/v1.js of v1")...)
}

// Where the fallback has no site, a rollback takes away what a release left, and nothing else.
func TestSite_Rollback_OfTheFirst(t *testing.T) {
	a := newAccount(t)
	a.has(sm.A, "v2", "index.html", "assets/v2.js")
	a.has(sm.A, "", "theirs.html")

	rest, err := a.layers().Site.Rollback(t.Context(), document(), sm.EnvironmentState{})
	if err == nil {
		_, err = rest(t.Context())
	}

	if err != nil {
		t.Fatal(err)
	}

	a.wrote("delete a index.html")
}

// A release without a site has the old one under its own name.
func TestSite_Deploy(t *testing.T) {
	a := newAccount(t)
	state := a.upload("v1")
	state.Release = "v2"

	if err := a.layers().Site.Prepare(t.Context(), sm.Manifest{Release: "v2"}, &state); err != nil {
		t.Fatal(err)
	}

	done, err := a.layers().Site.Deploy(t.Context(), document(), sm.Manifest{Release: "v2"}, state)
	if err != nil || done != "the site as it was" {
		t.Errorf("said %q, %v", done, err)
	}

	a.wrote("put a assets/v1.js of v1", "put a index.html of v2", "put a v1.html of v2")

	m := sm.Manifest{Release: "v2", Site: &sm.Site{Artifact: sm.Artifact{Object: "site.zip",
		SHA256: "digest"}}}
	if err := a.layers().Site.Prepare(t.Context(), m, &state); err != nil ||
		*state.Site != (sm.SiteState{
			Release: "v2", Key: "releases/v2/site.zip", SHA256: "digest", Assets: "assets/"}) {
		t.Errorf("%v; found the state %+v", err, state.Site)
	}
}

func TestSite_Diff(t *testing.T) {
	a := newAccount(t)
	state := a.upload("v1")

	if err := a.layers().Site.Restore(t.Context(), document(), state); err != nil {
		t.Fatal(err)
	}

	a.has(sm.A, "v0", "assets/v0.js") // an old asset is no difference
	a.writes = nil

	found, err := a.layers().Site.Diff(t.Context(), sm.A, state)
	is(t, found, err)

	a.has(sm.A, "v1", "mine.html")
	delete(a.sites[sm.A], "assets/v1.js")

	page := a.sites[sm.A]["index.html"]
	page.Release = "v0"
	a.sites[sm.A]["index.html"] = page

	found, err = a.layers().Site.Diff(t.Context(), sm.A, state)
	is(t, found, err, "pageChanged assets/v1.js", "pageChanged index.html",
		"pageUnexpected mine.html")

	state.Site = nil
	found, err = a.layers().Site.Diff(t.Context(), sm.A, state)
	is(t, found, err)

	a.wrote()
}

// A bundle that is gone is a difference; one that cannot be read now is an error.
func TestSite_Diff_WithoutItsBundle(t *testing.T) {
	a := newAccount(t)
	state := a.upload("v1")

	a.bundles["releases/v1/site.zip"] = []byte("hello")
	found, err := a.layers().Site.Diff(t.Context(), sm.A, state)
	is(t, found, err, "bundleLost releases/v1/site.zip")

	a.down = sm.Wrap(sm.Throttled, "read", errors.New("slow down"))
	if found, err := a.layers().Site.Diff(t.Context(), sm.A, state); sm.Name(err) != sm.Throttled {
		t.Errorf("found %+v, %v, expected Throttled", found, err)
	}
}
