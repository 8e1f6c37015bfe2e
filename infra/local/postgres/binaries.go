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

// oldest is the oldest major version that is still maintained and does all that Lockstep asks of
// it.
const oldest = 14

// usual is where packages put the binaries without putting them on PATH.
var usual = []string{
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

// locate finds the binaries on this machine, else fetches them.
func locate(ctx context.Context, as *syscall.Credential, log io.Writer) (binaries, error) {
	var dirs []string

	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}

	for _, pattern := range usual {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // newest first, as far as names sort
		dirs = append(dirs, found...)
	}

	for _, dir := range dirs {
		b := binaries{dir, as}
		if err := b.check(ctx); err != nil {
			fmt.Fprintf(log, "passed over %s: %v\n", dir, err)
			continue
		}

		return b, nil
	}

	return fetch(ctx, usualMajor, as, log)
}

// check runs both binaries: a file that is there may still lack a library or be out of the user's
// reach.
func (b binaries) check(ctx context.Context) error {
	for _, name := range []string{"postgres", "initdb"} {
		out, err := command(ctx, b.as, filepath.Join(b.dir, name), "--version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s --version: %w %s", name, err, lastLine(out))
		}
		// "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
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
