package postgres

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is the user that runs the server. It is nil for the user of this process, but another user
// if that is root, since Postgres refuses to run as root.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}

	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}

		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)

		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}

		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}

	return nil, errors.New("found no user postgres or nobody to run Postgres as, " +
		"which refuses to run as root: run as an ordinary user")
}

// command makes a command that the user runs, in a folder that every user may enter.
func command(ctx context.Context, as *syscall.Credential, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}

	return cmd
}

// reachable is the first of the folders that the user can access. The user of this process can
// access all of them, but other users cannot access the folders of root.
func reachable(as *syscall.Credential, dirs ...string) string {
	for _, dir := range dirs {
		if as == nil || open(dir) {
			return dir
		}
	}

	return dirs[len(dirs)-1]
}

// open tells whether every user may enter a folder. Missing folders count as open, since they will
// be made so.
func open(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return false
		}

		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}

		dir = parent
	}
}
