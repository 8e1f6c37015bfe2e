package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/postgres"
)

// run is the state of a run that a later one can continue if this one is killed. The files are not
// synced to disk, so they survive the process but not the machine.
type run struct {
	// Made is the digest of the run's code and configuration.
	Made     string
	Database postgres.Place
	Account  cloud.State
}

// keeper saves the account's state, so that a killed run continues when it is started again. Its
// folder belongs to the port, which only one run can have at a time. A nil keeper saves nothing.
type keeper struct {
	dir    string
	found  *run // the killed run; nil for a new one
	made   string
	cloud  *cloud.Cloud
	place  postgres.Place
	say    func(format string, args ...any)
	failed sync.Once

	asked  atomic.Int64 // the number of calls of save so far
	mu     sync.Mutex
	kept   int64 // the last call of save whose state is written
	over   bool
	bodies map[string]bool // by digest: those that are written
}

const (
	runFile     = "run.json"
	metricsFile = "metrics.json"
	bodiesDir   = "bodies"
)

// openKeeper opens the folder dir. It finds a killed run there, if that has the same digest and
// anew is false, and empties the folder otherwise.
func openKeeper(
	ctx context.Context, dir, made string, anew bool, say func(string, ...any),
) (*keeper, error) {
	k := &keeper{dir: dir, made: made, bodies: map[string]bool{}, say: say}

	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for an interrupted run: %w", err)
	}

	if err == nil {
		var found run
		switch err := json.Unmarshal(data, &found); {
		case err != nil:
			say("Cannot read the interrupted run, so a new one begins: %v", err)
		case found.Made != made:
			say("Found an interrupted run of other code or another configuration; a new one begins.")
		case anew:
			say("Found an interrupted run; a new one begins.")
		default:
			say("Continuing the interrupted run; --anew begins a new one.")

			k.found = &found

			return k, os.RemoveAll(filepath.Join(dir, "functions"))
		}

		if found.Database.URL != "" {
			if err := found.Database.Remove(ctx); err != nil {
				say("Its database could not be removed: %v", err)
			}
		}
	}

	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove the earlier run: %w", err)
	}

	if err := os.MkdirAll(filepath.Join(dir, bodiesDir), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for this run: %w", err)
	}

	return k, nil
}

// digestOf is the digest of what a run must share with the one that continues it: this program, the
// given parts, and the database's server.
func digestOf(parts ...any) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}

	code, err := os.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}

	rest, err := json.Marshal(append(parts, os.Getenv("DATABASE_URL")))
	if err != nil {
		return "", err
	}

	sum := sha256.Sum256(append(code, rest...))

	return hex.EncodeToString(sum[:]), nil
}

// load fills the account with the killed run's state.
func (k *keeper) load(c *cloud.Cloud) error {
	measured, err := os.ReadFile(filepath.Join(k.dir, metricsFile))
	if err == nil {
		err = c.Metrics.Load(measured)
	}

	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a run has none in its first second
		return err
	}

	return c.Load(k.found.Account, func(digest string) ([]byte, error) {
		k.bodies[digest] = true
		return os.ReadFile(filepath.Join(k.dir, bodiesDir, digest))
	})
}

// keep saves the account's state from here on: before a client gets the answer to a change, and
// every second, because executions and schedules change without a client.
func (k *keeper) keep(ctx context.Context, c *cloud.Cloud, place postgres.Place) (stop func()) {
	k.cloud, k.place = c, place
	c.Use(k.beforeAnswers)
	k.second()

	ctx, cancel := context.WithCancel(ctx)

	var keeping sync.WaitGroup
	keeping.Go(func() {
		for tick := time.Tick(time.Second); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				k.second()
			}
		}
	})

	return func() {
		cancel()
		keeping.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()

		k.over = true
	}
}

// beforeAnswers delays the answer to a change until the change is saved, since the client, and
// through it the database, will depend on it.
func (k *keeper) beforeAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, reads := range []string{"Get", "List", "Head", "Describe"} {
			if strings.HasPrefix(cloud.CallOf(r.Context()).Operation, reads) {
				next.ServeHTTP(w, r)
				return
			}
		}

		held := &heldBack{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		k.save()
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes())
	})
}

// heldBack is a response that is not sent yet.
type heldBack struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader remembers the status.
func (h *heldBack) WriteHeader(status int) { h.status = status }

// Write collects the body.
func (h *heldBack) Write(p []byte) (int, error) { return h.body.Write(p) }

// save returns when the present state is written. Calls that come during a write share the next
// one.
func (k *keeper) save() {
	if k == nil {
		return
	}

	turn := k.asked.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()

	if k.kept >= turn || k.over {
		return
	}

	until := k.asked.Load()
	if err := k.write(); err != nil {
		k.fail(err)
		return
	}

	k.kept = until
}

// second saves the metrics and the rest of the state. The metrics are read first: a saved alarm
// then either has its event, or has not breached yet.
func (k *keeper) second() {
	measured, err := k.cloud.Metrics.Save()
	k.save()

	if err == nil {
		err = replace(filepath.Join(k.dir, metricsFile), measured)
	}

	if err != nil {
		k.fail(err)
	}
}

// fail reports the first failure to save.
func (k *keeper) fail(err error) {
	k.failed.Do(func() {
		k.say("Cannot save this run, so it cannot be continued if it is killed: %v", err)
	})
}

// write writes the bodies first, so that whatever refers to one finds it.
func (k *keeper) write() error {
	state, bodies := k.cloud.Save()
	for digest, body := range bodies {
		if k.bodies[digest] {
			continue
		}

		if err := replace(filepath.Join(k.dir, bodiesDir, digest), body); err != nil {
			return err
		}

		k.bodies[digest] = true
	}

	data, err := json.Marshal(run{k.made, k.place, state})
	if err != nil {
		return err
	}

	return replace(filepath.Join(k.dir, runFile), data)
}

// replace replaces a file atomically. Only the owner may read it: it contains the database's
// password.
func replace(file string, data []byte) error {
	part := file + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}

	return os.Rename(part, file)
}
