package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// folder makes the folder for this run's files. It is named after the port, so that a run on the
// same port can continue this one if it is killed. A measurement, or a run on a port that the
// system chooses, cannot be continued and gets a temporary folder.
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

		made, err := digestOf(l.config)
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

// found is the killed run that this one continues; nil for a new run.
func (l *local) found() *run {
	if l.keeper == nil {
		return nil
	}

	return l.keeper.found
}

// clearUp stops the database and removes the folder. It keeps a killed run that could not be
// continued, since the cause may be mended.
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
