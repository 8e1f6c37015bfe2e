package statemachine_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	. "lockstep/statemachine"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const full = `{
  "release": "v2", "sequence": 2, "commit": "0123abc",
  "site": {"object": "site.zip", "sha256": "` + digest + `", "assets": "static/"},
  "functions": {"orders": {"object": "functions/orders.zip", "sha256": "` + digest + `"},
    "catalog": {"object": "functions/catalog.zip", "sha256": "` + digest + `"}},
  "migrations": {"object": "migrations.zip", "sha256": "` + digest + `"},
  "probes": [{"path": "/catalog", "status": 200, "contains": "price"}]
}`

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest("release.json", []byte(full))
	if err != nil {
		t.Fatal(err)
	}

	var fields []string
	for _, a := range m.Artifacts() {
		fields = append(fields, a.Field+" "+m.Key(a.Artifact))
	}

	want := []string{"site releases/v2/site.zip",
		"functions.catalog releases/v2/functions/catalog.zip",
		"functions.orders releases/v2/functions/orders.zip", "migrations releases/v2/migrations.zip"}
	if !slices.Equal(fields, want) {
		t.Errorf("artifacts:\n got %q\nwant %q", fields, want)
	}

	if m.Site.AssetsPrefix() != "static/" || (Site{}).AssetsPrefix() != "assets/" {
		t.Errorf("assets: %q, and %q by default", m.Site.AssetsPrefix(), (Site{}).AssetsPrefix())
	}
}

// TestParseManifest_Refuses changes one thing in a good manifest and expects to be told which.
func TestParseManifest_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"not JSON, on which line": {`"commit":`, `commit:`, "line 2: not JSON"},
		"cut short":               {"]\n}", "", "not JSON: it ends too early"},
		"nothing at all":          {full, "", "not JSON: it ends too early"},
		"more after it":           {"]\n}", "]\n} {}", "found more after the JSON value"},
		"an array":                {full, "[]", "the whole of it: found an array, expected an object"},
		"null":                    {full, "null", `release: found ""`},
		"unknown field":           {`"commit"`, `"comit"`, "comit: found a field that is not known"},
		"unknown field, deeper":   {`"assets"`, `"asets"`, "asets: found a field that is not known"},
		"wrong type": {`"sequence": 2`, `"sequence": "2"`,
			"sequence: found a string, expected a whole number"},
		"a fraction": {`"sequence": 2`, `"sequence": 2.5`,
			"sequence: found a number 2.5, expected a whole number"},
		"wrong type, deeper": {`"static/"`, `7`, "site.assets: found a number, expected a string"},
		"no list": {`[{"path": "/catalog", "status": 200, "contains": "price"}]`, `{}`,
			"probes: found an object, expected an array"},
		"no release":            {`"v2"`, `""`, `release: found "", expected 1 to 40 letters`},
		"a release that climbs": {`"v2"`, `"../v2"`, `release: found "../v2"`},
		"a release like a repair": {`"v2"`, `"repair"`,
			`release: found "repair", expected 1 to 40 letters`},
		"a long release": {`"v2"`, `"` + strings.Repeat("v", 41) + `"`,
			"expected 1 to 40 letters"},
		"no sequence": {`"sequence": 2`, `"sequence": 0`,
			"sequence: found 0, expected a number that grows"},
		"a function's name": {`"orders":`, `"or/ders":`,
			"functions.or/ders: found a name of another form"},
		"no digest": {`"functions/orders.zip", "sha256": "` + digest,
			`"functions/orders.zip", "sha256": "`, `functions.orders.sha256: found "", expected 64 lower-case hexadecimal digits`},
		"digest in capitals": {`"migrations.zip", "sha256": "` + digest,
			`"migrations.zip", "sha256": "` + strings.ToUpper(digest), "migrations.sha256: found"},
		"no object": {`"migrations.zip"`, `""`,
			`migrations.object: found "", expected a path inside the release's folder`},
		"an object that climbs": {`"site.zip"`, `"../v1/site.zip"`,
			`site.object: found "../v1/site.zip"`},
		"an object that climbs up": {`"site.zip"`, `"x/../../v1/site.zip"`, "site.object: found"},
		"an absolute object":       {`"site.zip"`, `"/site.zip"`, "site.object: found"},
		"a backslash":              {`"site.zip"`, `"..\\site.zip"`, "site.object: found"},
		"assets that climb": {`"static/"`, `"../"`,
			`site.assets: found "../", expected a folder that ends in '/'`},
		"assets that are a file": {`"static/"`, `"static"`, `site.assets: found "static"`},
		"a probe with a host":    {`"/catalog"`, `"https://elsewhere/"`, "probes[0].path: found"},
		"a probe's status": {`"status": 200`, `"status": 20`,
			"probes[0].status: found 20, expected an HTTP status"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(full, c.old, c.new, 1)
			if broken == full {
				t.Fatalf("%q is not in the manifest", c.old)
			}

			_, err := ParseManifest("releases/v2/release.json", []byte(broken))
			if err == nil || !strings.HasPrefix(err.Error(), "releases/v2/release.json: ") ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("found %v, expected the file and %q", err, c.says)
			}

			if Name(err) != InvalidRelease {
				t.Errorf("%v is named %q", err, Name(err))
			}
		})
	}

	_, err := ParseManifest("release.json", []byte(`{"release": "v2", "sequence": 2}`))
	if err == nil || !strings.Contains(err.Error(),
		"site, functions, migrations: found none of them") {
		t.Errorf("a manifest without layers: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"release": "v2", "sequence": 2, "functions": {"orders": null}}`))
	f.Add([]byte(`{"release": "v2", "sequence": 1e3, "site": {"object": "a/../b"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest("release.json", data)
		if err != nil {
			if Name(err) != InvalidRelease || !strings.HasPrefix(err.Error(), "release.json: ") {
				t.Fatalf("named %q: %v", Name(err), err)
			}

			return
		}

		for _, a := range m.Artifacts() {
			if key := m.Key(a.Artifact); !strings.HasPrefix(key, "releases/"+m.Release+"/") ||
				strings.Contains(key, "..") && strings.Contains(key, "/../") {
				t.Fatalf("%s lies outside the release: %s", a.Field, key)
			}
		}

		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}

		if same, err := ParseManifest("release.json", again); err != nil ||
			!reflect.DeepEqual(same.FunctionNames(), m.FunctionNames()) {
			t.Fatalf("what was accepted is refused when written again: %v\n%s", err, again)
		}
	})
}
