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

// owner is whom the server runs as: nil for ourselves, and another user where we are root, since
// Postgres refuses to run as root.
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

	return nil, errors.New("found no user postgres or nobody to run Postgres as, which refuses to " +
		"run as root: run as an ordinary user")
}

// command is a command run by that user, from a folder that every user may enter.
func command(ctx context.Context, as *syscall.Credential, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}

	return cmd
}

// reachable is the first of the folders in which that user gets at what we put there. An ordinary
// user always does; another user than root is kept out of root's own folders.
func reachable(as *syscall.Credential, dirs ...string) string {
	for _, dir := range dirs {
		if as == nil || open(dir) {
			return dir
		}
	}

	return dirs[len(dirs)-1]
}

// open tells whether everybody may enter a folder; what does not exist yet will be made so.
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
