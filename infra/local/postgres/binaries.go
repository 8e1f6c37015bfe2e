package postgres

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// oldest is the oldest major version that is maintained and has all that Lockstep needs.
const oldest = 14

// usualDirs are folders in which packages install the binaries without adding them to PATH.
var usualDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// binaries is a folder with postgres and initdb, and the user who runs them.
type binaries struct {
	dir string
	as  *syscall.Credential
}

// locate finds the binaries on this machine, or else fetches them.
func locate(ctx context.Context, as *syscall.Credential, log io.Writer) (binaries, error) {
	var dirs []string

	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}

	for _, pattern := range usualDirs {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // newest first, as far as names sort
		dirs = append(dirs, found...)
	}

	for _, dir := range dirs {
		b := binaries{dir, as}
		if err := b.check(ctx); err != nil {
			fmt.Fprintf(log, "skipped %s: %v\n", dir, err)
			continue
		}

		return b, nil
	}

	return fetch(ctx, defaultMajor, as, log)
}

// check runs both binaries, since an existing file may lack a library or be inaccessible to the
// user.
func (b binaries) check(ctx context.Context) error {
	for _, name := range []string{"postgres", "initdb"} {
		out, err := command(ctx, b.as, filepath.Join(b.dir, name), "--version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s --version: %w %s", name, err, lastLine(out))
		}

		// The output is like "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
		_, version, _ := strings.Cut(string(out), "(PostgreSQL) ")

		digits, _, _ := strings.Cut(version, ".")
		if major, err := strconv.Atoi(digits); err == nil && major < oldest {
			return fmt.Errorf("%s is version %d, expected %d or newer", name, major, oldest)
		}
	}

	return nil
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
