package shop

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestBuild_UnknownRelease(t *testing.T) {
	_, err := Build(t.Context(), "v9", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), `"v9"`) ||
		!strings.Contains(err.Error(), "v1, v2, v3") {
		t.Errorf("got %v, want an error that names v9 and the releases", err)
	}
}

func TestBuild_Layout(t *testing.T) {
	dir, err := Build(t.Context(), "v2", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	want := []string{
		"functions/catalog/bootstrap", "functions/orders/bootstrap", "lockstep.json",
		"migrations/backfill/customers.json", "migrations/contract/00002_drop_name.sql",
		"migrations/expand/00001_shop.sql", "migrations/expand/00002_split_name.sql",
		"site/assets/app.HASH.js", "site/assets/goods.HASH.svg", "site/assets/mark.HASH.svg",
		"site/assets/style.HASH.css", "site/index.html",
	}
	hash := regexp.MustCompile(`\.[0-9a-f]{10}\.`)

	var got []string
	for name := range files(t, dir) {
		got = append(got, hash.ReplaceAllString(name, ".HASH."))
	}

	slices.Sort(got)

	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	var declared declaration
	if err := json.Unmarshal(files(t, dir)["lockstep.json"], &declared); err != nil ||
		declared.Release != "v2" || declared.Sequence != 2 {
		t.Errorf("got %+v, %v, want release v2 with sequence 2", declared, err)
	}
}

func TestBuild_SameBytesTwice(t *testing.T) {
	first, err := Build(t.Context(), "v3", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	second, err := Build(t.Context(), "v3", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	again := files(t, second)
	for name, content := range files(t, first) {
		if !bytes.Equal(content, again[name]) {
			t.Errorf("%s differs between two builds", name)
		}
	}
}

func TestSite_StampsAndReferences(t *testing.T) {
	seen := map[string]string{}

	for _, release := range Releases() {
		site, err := Site(release)
		if err != nil {
			t.Fatal(err)
		}

		page := string(site["index.html"])
		for _, placeholder := range []string{"%LOCKSTEP_RELEASE%", "%LOCKSTEP_ENVIRONMENT%",
			"%LOCKSTEP_API%"} {
			if !strings.Contains(page, `content="`+placeholder+`"`) {
				t.Errorf("%s: index.html lacks the placeholder %s", release, placeholder)
			}
		}

		if strings.Contains(page, "{{") {
			t.Errorf("%s: index.html has a placeholder that was not filled:\n%s", release, page)
		}

		for name, content := range site {
			if name == "index.html" {
				continue
			}

			if !strings.Contains(page, `"/`+name+`"`) {
				t.Errorf("%s: index.html does not reference %s", release, name)
			}

			if !bytes.Contains(content, []byte("lockstep-release: "+release)) {
				t.Errorf("%s: %s does not say its release", release, name)
			}

			if other := seen[name]; other != "" {
				t.Errorf("%s has the same name in %s and %s", name, other, release)
			}

			seen[name] = release
		}
	}
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()

	found := map[string][]byte{}

	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}

		found[filepath.ToSlash(name)], err = os.ReadFile(path)

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return found
}
