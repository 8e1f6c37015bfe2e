package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// folder is where this run keeps what it is made of: for its port, so that a later one finds it
// there. A measurement is not worth it, and a port that is any port is not found again.
func (l *local) folder(ctx context.Context) (dir string, err error) {
	if l.options.rollbacks > 0 || l.options.port == 0 {
		if dir, err = os.MkdirTemp("", "lockstep-"); err != nil {
			return "", fmt.Errorf("make a folder for this run: %w", err)
		}
	} else {
		root, err := moduleRoot(ctx)
		if err != nil {
			return "", err
		}

		made, err := madeOf(l.config)
		if err != nil {
			return "", err
		}

		dir = filepath.Join(root, ".lockstep", fmt.Sprintf("run-%d", l.options.port))
		if l.keeper, err = openKeeper(ctx, dir, made, l.options.anew, l.story.sayf); err != nil {
			return "", err
		}
	}

	if err := os.Chmod(dir, 0o755); err != nil { // as root, Postgres runs as another user
		return "", fmt.Errorf("open the folder of this run: %w", err)
	}

	return dir, nil
}

// found is the killed run that this one goes on with; nil where it begins anew.
func (l *local) found() *run {
	if l.keeper == nil {
		return nil
	}

	return l.keeper.found
}

// clearUp leaves nothing behind, but for a killed run that could not be gone on with: what was in
// its way may be mended.
func (l *local) clearUp(dir string, up bool) error {
	if l.found() != nil && !up {
		if l.database != nil {
			return l.database.Leave()
		}

		return nil
	}

	var err error
	if l.database != nil {
		err = l.database.Stop()
	}

	return errors.Join(err, os.RemoveAll(dir))
}
