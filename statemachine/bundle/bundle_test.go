package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/statemachine"
)

const declaration = `{"release":"v2","sequence":2,"commit":"abc","probes":[{"path":"/catalog"}]}`

// folder writes a release's folder; a name that ends in "/" is an empty folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()

	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			path = filepath.Join(path, ".")
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}

			continue
		}

		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

func whole() map[string]string {
	return map[string]string{
		"lockstep.json":                  declaration,
		"site/index.html":                "<h1>",
		"site/assets/app.1234.js":        "1",
		"site/.well-known/security.txt":  "x",
		"functions/catalog/bootstrap":    "elf",
		"functions/catalog/data/a.json":  "{}",
		"functions/orders/index.mjs":     "export",
		"migrations/expand/0001_a.sql":   "--",
		"migrations/contract/0001_b.sql": "--",
		"README.md":                      "not part of it",
	}
}

func TestPack(t *testing.T) {
	m, objects, err := Pack(folder(t, whole()))
	if err != nil {
		t.Fatal(err)
	}

	if m.Release != "v2" || m.Sequence != 2 || m.Commit != "abc" || len(m.Probes) != 1 ||
		m.Site == nil || m.Migrations == nil {
		t.Errorf("got %+v", m)
	}

	want := map[string]map[string]fs.FileMode{
		"site.zip": {".well-known/security.txt": 0o644, "assets/app.1234.js": 0o644,
			"index.html": 0o644},
		"functions/catalog.zip": {"bootstrap": 0o755, "data/a.json": 0o644},
		"functions/orders.zip":  {"index.mjs": 0o644},
		"migrations.zip":        {"contract/0001_b.sql": 0o644, "expand/0001_a.sql": 0o644},
	}
	if got := slices.Sorted(maps.Keys(objects)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("packed %v", got)
	}

	for _, a := range m.Artifacts() {
		sum := sha256.Sum256(objects[a.Object])
		if a.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the digest of %s is wrong", a.Field, a.Object)
		}

		r, err := zip.NewReader(bytes.NewReader(objects[a.Object]), int64(len(objects[a.Object])))
		if err != nil {
			t.Fatal(err)
		}

		got := map[string]fs.FileMode{}
		for _, f := range r.File {
			got[f.Name] = f.Mode()
		}

		if !maps.Equal(got, want[a.Object]) {
			t.Errorf("%s has %v, want %v", a.Object, got, want[a.Object])
		}
	}
}

func TestPack_SameFilesSameBytes(t *testing.T) {
	first, firstObjects, err := Pack(folder(t, whole()))
	if err != nil {
		t.Fatal(err)
	}

	again := folder(t, whole())

	err = filepath.WalkDir(again, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}

		if err := os.Chmod(path, 0o664); err != nil { // another umask, another time
			return err
		}

		return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))
	})
	if err != nil {
		t.Fatal(err)
	}

	second, secondObjects, err := Pack(again)
	if err != nil {
		t.Fatal(err)
	}

	if !reflect.DeepEqual(first, second) || !reflect.DeepEqual(firstObjects, secondObjects) ||
		!bytes.Equal(Encode(first), Encode(second)) {
		t.Error("the same files gave another release")
	}

	files := whole()

	files["site/index.html"] = "<h2>"
	if other, _, err := Pack(folder(t, files)); err != nil || other.Site.SHA256 == first.Site.SHA256 {
		t.Errorf("other files gave the same digest: %v", err)
	}
}

func TestPack_ExecutableFiles(t *testing.T) {
	dir := folder(t, whole())
	if err := os.Chmod(filepath.Join(dir, "functions", "orders", "index.mjs"), 0o700); err != nil {
		t.Fatal(err)
	}

	_, objects, err := Pack(dir)
	if err != nil {
		t.Fatal(err)
	}

	data := objects["functions/orders.zip"]

	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || r.File[0].Mode() != 0o755 {
		t.Errorf("got %v, %v; want 0755", r.File[0].Mode(), err)
	}
}

func TestPack_BadInput(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string // "-" takes a file away
		want   []string
	}{
		"no declaration": {map[string]string{"lockstep.json": "-"},
			[]string{"lockstep.json", "found no such file"}},
		"not JSON": {map[string]string{"lockstep.json": "release: v2"},
			[]string{"lockstep.json", "line 1: not JSON"}},
		"unknown field": {map[string]string{"lockstep.json": `{"release":"v2","sequence":2,"sequense":2}`}, []string{"lockstep.json", "sequense", "not known"}},
		"text as sequence": {map[string]string{"lockstep.json": `{"release":"v2","sequence":"2"}`},
			[]string{"lockstep.json", "sequence", "found a string"}},
		"no sequence": {map[string]string{"lockstep.json": `{"release":"v2"}`},
			[]string{"lockstep.json", "sequence: found 0"}},
		"bad release": {map[string]string{"lockstep.json": `{"release":"../v2","sequence":2}`},
			[]string{"lockstep.json", `release: found "../v2"`}},
		"bad probe":  {map[string]string{"lockstep.json": `{"release":"v2","sequence":2,"probes":[{"path":"catalog"}]}`}, []string{"lockstep.json", "probes[0].path"}},
		"bad assets": {map[string]string{"lockstep.json": `{"release":"v2","sequence":2,"assets":"static"}`}, []string{"lockstep.json", "site.assets"}},
		"bad function": {map[string]string{"functions/my catalog/bootstrap": "x"},
			[]string{"functions.my catalog"}},
		"empty site": {map[string]string{"site/index.html": "-", "site/assets/app.1234.js": "-",
			"site/.well-known/security.txt": "-", "site/": ""},
			[]string{"site", "found no files"}},
		"empty function": {map[string]string{"functions/basket/": ""},
			[]string{filepath.Join("functions", "basket"), "found no files"}},
		"file for a function": {map[string]string{"functions/bootstrap": "x"},
			[]string{filepath.Join("functions", "bootstrap"), "found a file"}},
		"misspelled layer": {map[string]string{"migration/expand/0001.sql": "--"},
			[]string{"migration:", "misspelled"}},
		"misspelled migration": {map[string]string{"migrations/expnad/0001.sql": "--"},
			[]string{filepath.Join("migrations", "expnad"), "misspelled"}},
		"loose migration": {map[string]string{"migrations/0001.sql": "--"},
			[]string{filepath.Join("migrations", "0001.sql"), "expand"}},
	} {
		files := whole()
		for file, content := range c.change {
			if files[file] = content; content == "-" {
				delete(files, file)
			}
		}

		_, _, err := Pack(folder(t, files))
		if statemachine.Name(err) != statemachine.InvalidRelease {
			t.Errorf("%s: got %v, want InvalidRelease", name, err)
			continue
		}

		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}

	if _, _, err := Pack(folder(t, map[string]string{"lockstep.json": declaration})); err == nil ||
		!strings.Contains(err.Error(), "at least one") {
		t.Errorf("no layers: got %v", err)
	}
}

func TestPack_Links(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct{ from, to, want string }{
		"to a file outside":      {"site/x", outside, "leads out"},
		"up and out":             {"site/x", "../../../../../../../../etc/hostname", "leads out"},
		"a layer outside":        {"migrations", filepath.Dir(outside), "misspelled"},
		"to nothing":             {"site/x", "nothing", "no such file"},
		"to a folder":            {"site/x", "assets", "link to a folder"},
		"to a file in the layer": {"site/x", "index.html", ""},
	} {
		files := whole()
		delete(files, "migrations/expand/0001_a.sql")
		delete(files, "migrations/contract/0001_b.sql")

		dir := folder(t, files)
		if err := os.Symlink(c.to, filepath.Join(dir, filepath.FromSlash(c.from))); err != nil {
			t.Skipf("no links here: %v", err)
		}

		_, _, err := Pack(dir)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), filepath.FromSlash(c.from)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
