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

// run is what a run that is killed leaves behind. Nothing is synced to disk: it outlives the
// process, not the machine.
type run struct {
	// Made is what the run was made of: its code and its configuration.
	Made     string
	Database postgres.Place
	Account  cloud.State
}

// keeper writes down what the account is, so that a run that is killed goes on when it is started
// again. It is in a folder of its port, which no two runs have at a time. A nil keeper keeps
// nothing.
type keeper struct {
	dir    string
	found  *run // of a run that was killed
	made   string
	cloud  *cloud.Cloud
	place  postgres.Place
	say    func(format string, args ...any)
	failed sync.Once

	asked  atomic.Int64 // how often somebody wanted to be sure
	mu     sync.Mutex
	kept   int64 // what was asked until then is written down
	over   bool
	bodies map[string]bool
}

const (
	runFile     = "run.json"
	metricsFile = "metrics.json"
	bodiesDir   = "bodies"
)

// openKeeper looks for a run that was killed.
func openKeeper(ctx context.Context, dir, made string, anew bool,
	say func(string, ...any)) (*keeper, error) {
	k := &keeper{dir: dir, made: made, bodies: map[string]bool{}, say: say}

	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for a run that was cut short: %w", err)
	}

	if err == nil {
		var found run
		switch err := json.Unmarshal(data, &found); {
		case err != nil:
			say("Found a run that was cut short and cannot be read, so that a new one begins: %v", err)
		case found.Made != made:
			say("Found a run that was cut short, of other code or another configuration: a new one begins.")
		case anew:
			say("Found a run that was cut short: a new one begins.")
		default:
			say("Found a run that was cut short, and goes on with it; --anew begins a new one.")

			k.found = &found

			return k, os.RemoveAll(filepath.Join(dir, "functions"))
		}

		if found.Database.URL != "" {
			if err := found.Database.Remove(ctx); err != nil {
				say("Its database was left: %v", err)
			}
		}
	}

	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove what an earlier run left: %w", err)
	}

	if err := os.MkdirAll(filepath.Join(dir, bodiesDir), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for this run: %w", err)
	}

	return k, nil
}

// madeOf tells runs apart that do not understand each other: this program, the configuration, the
// database's server.
func madeOf(parts ...any) (string, error) {
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

// load fills the account with what the killed run knew.
func (k *keeper) load(c *cloud.Cloud) error {
	measured, err := os.ReadFile(filepath.Join(k.dir, metricsFile))
	if err == nil {
		err = c.Metrics.Load(measured)
	}

	if err != nil && !errors.Is(err, fs.ErrNotExist) { // in its first second it had none
		return err
	}

	return c.Load(k.found.Account, func(digest string) ([]byte, error) {
		k.bodies[digest] = true
		return os.ReadFile(filepath.Join(k.dir, bodiesDir, digest))
	})
}

// keep writes everything down from here on: before anybody is told of a change, and every second,
// for an execution or a schedule tells nobody.
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

// beforeAnswers holds the answer to a change back until that is written down: whoever was told
// relies on it, and may have the database rely on it.
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

// heldBack is an answer that is not sent yet.
type heldBack struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldBack) WriteHeader(status int)      { h.status = status }
func (h *heldBack) Write(p []byte) (int, error) { return h.body.Write(p) }

// save returns when what is now is written down. Who comes while another writes shares the next
// writing.
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

// second writes down what changes all the time. Of the metrics what was before the rest: an event
// of an alarm is there then, or its alarm has not rung yet.
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

// fail says once that something could not be written.
func (k *keeper) fail(err error) {
	k.failed.Do(func() {
		k.say("This run could not be kept, and will not outlive its process: %v",
			err)
	})
}

// write puts the bodies first: what names them finds them.
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

// replace writes a file whole or not at all. It holds the database's password.
func replace(file string, data []byte) error {
	part := file + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}

	return os.Rename(part, file)
}
