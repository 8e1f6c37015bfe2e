package infra

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// A tag of an action can be moved to other code, a digest cannot.
func TestWorkflows_PinActionsByDigest(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.y*ml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found the workflows %v: %v", files, err)
	}

	uses := regexp.MustCompile(`(?m)^[ -]*['"]?uses['"]?\s*:\s*(.*)$`)
	pinned := regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

	for _, file := range append(files, "release.yml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		found := uses.FindAllSubmatch(data, -1)
		if len(found) == 0 {
			t.Errorf("%s uses no action", file)
		}

		for _, use := range found {
			// A workflow of this repository is that of the same commit.
			if !pinned.Match(use[1]) && !bytes.HasPrefix(use[1], []byte("./.github/workflows/")) {
				t.Errorf("%s: found uses: %s, expected owner/name@<40 hex digits> # v1.2.3", file, use[1])
			}
		}
	}
}
