package release

import (
	"testing"
	"time"

	"lockstep/statemachine"
)

func TestRenderSite(t *testing.T) {
	const page = `<a href="%LOCKSTEP_API%/orders">%LOCKSTEP_RELEASE% in %LOCKSTEP_ENVIRONMENT%, 100 %LOCKSTEP_OTHER%</a>`

	data := zipped(t, file{name: "assets/", mode: 1 << 31},
		file{name: "assets/app-1f.js", body: "var r = '%LOCKSTEP_RELEASE%'"}, file{name: "assets/logo-2e.SVG"},
		file{name: "index.html", body: page}, file{name: "manual/index.html",
			body: page}, file{name: "site.webmanifest", body: "{}"},
		file{name: "assets", body: "a file of the folder's name"}, file{name: "LICENSE"})

	archive, err := OpenArchive("site.zip", data, digestOf(data))
	if err != nil {
		t.Fatal(err)
	}

	assets, entries, err := RenderSite(archive, "assets/", statemachine.B, "v2")
	if err != nil {
		t.Fatal(err)
	}

	const filled = `<a href="/api-b/orders">v2 in b, 100 %LOCKSTEP_OTHER%</a>`

	check(t, "assets", assets, []Page{
		{"assets/app-1f.js", []byte("var r = '%LOCKSTEP_RELEASE%'"), "text/javascript; charset=utf-8",
			immutable, ""},
		{"assets/logo-2e.SVG", nil, "image/svg+xml", immutable, ""},
	})
	check(t, "entry pages", entries, []Page{
		{"index.html", []byte(filled), "text/html; charset=utf-8", noCache, ""},
		{"manual/index.html", []byte(filled), "text/html; charset=utf-8", noCache, ""},
		{"site.webmanifest", []byte("{}"), "application/manifest+json", noCache, ""},
		{"assets", []byte("a file of the folder's name"), "application/octet-stream", noCache, ""},
		{"LICENSE", nil, "application/octet-stream", noCache, ""},
	})

	if p := entries[0]; p.Stamped("v2").Release != "v2" || p.Release != "" {
		t.Error("a stamp is put on a copy")
	}
}

func check(t *testing.T, what string, got, want []Page) {
	t.Helper()

	if len(got) != len(want) {
		t.Fatalf("%s: found %d, expected %d", what, len(got), len(want))
	}

	for i, g := range got {
		if w := want[i]; g.Path != w.Path || string(g.Body) != string(w.Body) ||
			g.ContentType != w.ContentType || g.CacheControl != w.CacheControl {
			t.Errorf("%s: found %s %q %s %s\nexpected %s %q %s %s", what, g.Path, g.Body, g.ContentType,
				g.CacheControl, w.Path, w.Body, w.ContentType, w.CacheControl)
		}
	}
}

func TestRampStep(t *testing.T) {
	plan := statemachine.RampPlan{Steps: []statemachine.RampStep{{Percent: 0.29,
		Bake: statemachine.Duration(
			time.Minute)}, {Percent: 33.333, Bake: statemachine.Duration(time.Hour)}}}
	for n, want := range map[int]struct {
		weight int
		bake   time.Duration
	}{0: {10000, 0}, 1: {29, time.Minute}, 2: {3333, time.Hour}, 3: {10000, 0}} {
		if weight, bake := RampStep(plan, n); weight != want.weight || bake != want.bake {
			t.Errorf("step %d: found %d for %s, expected %d for %s", n, weight, bake, want.weight, want.bake)
		}
	}

	if weight, _ := RampStep(statemachine.RampPlan{}, 1); weight != statemachine.FullWeight {
		t.Errorf("a plan without steps gives %d", weight)
	}
}
