// Package shop is the application that the local run releases: a small shop with a site, two
// functions and a database. v1 is the release that everybody has, v2 splits a customer's name into
// two columns, and v3 has a bug, so that there is a rollback to watch.
//
// A folder per release (v1, v2, v3) holds what that release changes; site and api hold what all
// releases share.
package shop

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lockstep/statemachine"
)

//go:embed site v1/site v1/migrations v2/site v2/migrations v3/site v3/migrations
var sources embed.FS

// Releases lists the shop's releases in their order.
func Releases() []string { return []string{"v1", "v2", "v3"} }

// declaration is the content of lockstep.json: what `lockstep release` needs to know of a folder.
type declaration struct {
	Release  string                   `json:"release"`
	Sequence int64                    `json:"sequence"`
	Probes   []statemachine.HTTPProbe `json:"probes,omitempty"`
}

// Build makes a release's folder below into, in the layout that `lockstep release DIR` packs, and
// returns its path:
//
//	lockstep.json  site/  functions/<name>/bootstrap  migrations/{expand,contract,backfill}/
//
// The same source gives the same bytes, and releases may be built side by side. The functions are
// compiled for this machine, or for the GOOS and GOARCH in env. The error says which release
// failed, and quotes the compiler.
func Build(ctx context.Context, release, into string, env ...string) (string, error) {
	index := slices.Index(Releases(), release)
	if index < 0 {
		return "", fmt.Errorf("build the shop: found no release %q, expected one of %s",
			release, strings.Join(Releases(), ", "))
	}

	dir := filepath.Join(into, release)
	if err := build(ctx, index, dir, env); err != nil {
		return "", fmt.Errorf("build release %s of the shop in %s: %w", release, dir, err)
	}

	return dir, nil
}

func build(ctx context.Context, index int, dir string, env []string) error {
	release := Releases()[index]

	if err := os.RemoveAll(dir); err != nil {
		return err
	}

	site, err := Site(release)
	if err != nil {
		return err
	}

	migrations, err := migrations(index)
	if err != nil {
		return err
	}

	declared := declaration{
		Release: release, Sequence: int64(index + 1),
		Probes: []statemachine.HTTPProbe{{Path: "/catalog"}},
	}

	data, err := json.MarshalIndent(declared, "", "  ")
	if err != nil {
		return err
	}

	files := map[string][]byte{"lockstep.json": append(data, '\n')}
	for name, content := range site {
		files["site/"+name] = content
	}

	for name, content := range migrations {
		files["migrations/"+name] = content
	}

	if err := write(dir, files); err != nil {
		return err
	}

	return buildFunctions(ctx, release, filepath.Join(dir, "functions"), env)
}

func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}

		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}

	return nil
}

// Fails tells whether a release has a bug in its API, whose failures are expected: v3 has one.
func Fails(release string) bool { return release == "v3" }
