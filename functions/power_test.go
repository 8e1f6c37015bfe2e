package functions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/kept"
	"lockstep/infra/local/cloud/lambda"
	sm "lockstep/statemachine"
)

// power fails after so many writes of Lambdas: what the last of them did is done, and nobody is
// told.
type power struct {
	left   atomic.Int64
	failed chan struct{}
}

func (p *power) fails() bool {
	if p == nil || p.left.Add(-1) != 0 {
		return false
	}

	close(p.failed)

	return true
}

func (p *power) isOff() bool { return p != nil && p.left.Load() <= 0 }

// mains is the way to AWS of those who have power.
type mains struct {
	*world
	http.RoundTripper
}

func (m mains) RoundTrip(r *http.Request) (*http.Response, error) {
	power := m.power.Load()
	response, err := m.RoundTripper.RoundTrip(r)

	if power.isOff() {
		return nil, errTimedOut
	}

	return response, err
}

// failsAfter lets the power fail after so many writes from here on.
func (w *world) failsAfter(writes int64) {
	p := &power{failed: make(chan struct{})}
	p.left.Store(writes)
	w.power.Store(p)
}

// comesBack waits for the power to fail and lets another process go on with what this one kept,
// after a while. It tells whether the power failed within a day.
func (w *world) comesBack(after time.Duration) bool {
	w.t.Helper()

	select {
	case <-w.power.Load().failed:
	case <-time.After(24 * time.Hour):
		w.power.Store(nil)
		return false
	}

	w.leave()
	saved, bodies := save(w.t, w.stack.Cloud)
	load := func(c *cloud.Cloud) error {
		var kept cloud.State
		if err := errors.Join(json.Unmarshal(saved[0], &kept), c.Metrics.Load(saved[1])); err != nil {
			return err
		}

		return c.Load(kept, func(digest string) ([]byte, error) {
			if body, ok := bodies[digest]; ok {
				return body, nil
			}

			return nil, fmt.Errorf("no body was kept as %s", digest)
		})
	}

	loaded := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
	defer loaded.Close()

	if err := load(loaded); err != nil {
		w.t.Fatal(err)
	}

	again, _ := save(w.t, loaded)
	for i := range again {
		if !bytes.Equal(again[i], saved[i]) {
			w.t.Errorf("saved %.2000s\nand, after it was loaded, %.2000s", saved[i], again[i])
		}
	}

	w.stack.Close()
	time.Sleep(after)

	w.options.Load = load
	w.power.Store(nil)
	w.up()

	if err := w.stack.Cloud.Resume(); err != nil {
		w.t.Fatal(err)
	}

	w.callsAreMeasured()

	return true
}

// save is what is kept of an account: the metrics apart.
func save(t *testing.T, c *cloud.Cloud) ([2][]byte, kept.Bodies) {
	t.Helper()

	measured, err := c.Metrics.Save()
	if err != nil {
		t.Fatal(err)
	}

	state, bodies := c.Save()

	saved, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}

	return [2][]byte{saved, measured}, bodies
}

// The process in which everything runs is killed after a write, and another one goes on:
// executions, tokens, schedules, events. The end is as if nothing had been. With -every-call it is
// killed after each of them.
func TestPower_FailsAfterEveryWrite(t *testing.T) {
	for name, c := range map[string]struct {
		down    time.Duration
		release func(w *world, fails func())
		ends    func(w *world)
	}{
		"released": {5 * time.Second, func(w *world, fails func()) { w.second(); fails() },
			func(w *world) {
				w.ends("v2", sm.Released)
				w.took("v2", good)
				w.weighed("v2", 500, 2500, 10000, 0)
				w.stands("b", "v1", "v2")
			}},
		"released hours later": {3 * time.Hour, func(w *world, fails func()) { w.second(); fails() },
			func(w *world) {
				w.ends("v2", sm.Released)
				w.stands("b", "v1", "v2")
			}},
		"rolled back": {5 * time.Second, func(w *world, fails func()) {
			w.second()
			w.bakes("v2", 2500)
			w.operator(sm.SignalRollback)
			fails()
		}, func(w *world) {
			w.ends("v2", sm.RolledBack)
			w.stands("a", "v1", "v1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			step := int64(8)
			if *everyCall {
				step = 1
			}

			for n, failed := int64(1), true; failed && !t.Failed(); n += step {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					story(t, func(w *world) {
						w.quietlyLive()
						c.release(w, func() { w.failsAfter(n) })
						failed = w.comesBack(c.down)
						c.ends(w)
					})
				})
			}
		})
	}
}
