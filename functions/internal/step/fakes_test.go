package step_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// world is everything that the steps touch, in memory. Each call can be the one at which the step
// is killed, before or after the call took effect; what was written is told in order.
type world struct {
	t        testing.TB
	settings sm.Settings
	policy   sm.QueuePolicy

	mu       sync.Mutex
	calls    int
	killAt   int  // the call, from 1, at which the step is killed; 0 for never
	after    bool // killed only when the call took effect
	dead     bool
	writes   []string
	announce error // what the bus answers

	objects map[string]json.RawMessage
	tags    map[string]int
	// meanwhile is what somebody else does just before a write.
	meanwhile func(write string)

	bundles    map[string][]byte
	aliases    map[string]string // "catalog a" to the version
	published  map[string]string // "catalog <digest>" to the version
	stages     map[sm.Environment]string
	sites      map[sm.Environment]map[string]release.Page
	route      sm.Route
	control    sm.Control
	answers    map[string]string // by token: the first answer
	used       map[string]bool   // tokens that were used up elsewhere
	schedules  map[string]string
	executions map[string]string
	fates      map[string]machine.Execution
	events     []string
	ringing    []string
	outworn    []string // alarms that ring for what is long over
	unread     error    // of who counts calls
	requests   map[sm.Environment]float64
	frozen     string // why
	ownProbe   func(question any) (string, error)
	schema     map[string]bool
	schemaErr  error
	// schemaFence is the highest that it was changed under.
	schemaFence int64
	oldClients  int // how often the database is still found in use by them
	answerHTTP  func(url string) (status int, body string)
}

var errKilled = errors.New("killed")

// call is one call to the outside; write says what it writes, or "" for nothing.
func (w *world) call(write string, effect func() error) error {
	if other := w.meanwhile; other != nil && write != "" {
		other(write)
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	w.calls++

	last := w.calls == w.killAt
	if w.dead || last && !w.after {
		w.dead = true
		return errKilled
	}

	if err := effect(); err != nil {
		return err
	}

	if write != "" {
		w.writes = append(w.writes, write)
	}

	if last {
		w.dead = true
		return errKilled
	}

	return nil
}

// revive lets the next attempt run through, and forgets what was written before.
func (w *world) revive() {
	w.calls, w.killAt, w.dead, w.writes = 0, 0, false, nil
}

type objectStore struct{ *world }

func (l objectStore) Get(_ context.Context, key string, into any) (tag string, err error) {
	err = l.call("", func() error {
		if l.tags[key] == 0 {
			return nil
		}

		tag = fmt.Sprint(l.tags[key])

		return json.Unmarshal(l.objects[key], into)
	})

	return tag, err
}

func (l objectStore) Put(_ context.Context, key string, value any, tag string) (string, error) {
	return tag, l.call("ledger "+key, func() error {
		now := ""
		if l.tags[key] != 0 {
			now = fmt.Sprint(l.tags[key])
		}

		if now != tag {
			return sm.Errorf(sm.StaleWrite, "%s: tag %q, expected %q", key, tag, now)
		}

		l.store(key, value)

		return nil
	})
}

// store writes past the conditions: what was there before, or what somebody else does.
func (w *world) store(key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}

	w.objects[key], w.tags[key] = data, w.tags[key]+1
}

// read reads past the calls that are counted.
func read[T any](w *world, key string) (value T) {
	w.t.Helper()

	if data := w.objects[key]; data != nil {
		if err := json.Unmarshal(data, &value); err != nil {
			w.t.Fatal(err)
		}
	}

	return value
}

func (w *world) lock() sm.Lock { return read[sm.Lock](w, sm.LockKey) }

func (w *world) record(id string) sm.Record { return read[sm.Record](w, sm.RecordKey(id)) }

func (w *world) change(f func(r *sm.Record)) {
	r := w.record("v2")
	f(&r)
	w.store(sm.RecordKey("v2"), r)
}

type bus struct{ *world }

func (b bus) Announce(_ context.Context, c sm.StateChange) error {
	return b.call("announce", func() error {
		if b.announce != nil {
			return b.announce
		}

		b.events = append(b.events, fmt.Sprintf("%s %s: %s", c.Release, c.State, c.Text))

		return nil
	})
}

type bundles struct{ *world }

func (b bundles) Read(_ context.Context, key string, _ int64) (data []byte, err error) {
	err = b.call("", func() error {
		if data = b.bundles[key]; data == nil {
			return fmt.Errorf("%s: no such object", key)
		}

		return nil
	})

	return data, err
}

func (b bundles) Newest(context.Context) (id string, err error) {
	err = b.call("", func() error {
		for key := range b.bundles {
			if name, ok := strings.CutSuffix(key, "/release.json"); ok {
				id = max(id, strings.TrimPrefix(name, sm.ReleasesPrefix))
			}
		}

		return nil
	})

	return id, err
}

type versions struct{ *world }

func (v versions) At(_ context.Context, name string, e sm.Environment) (c sm.FunctionState,
	err error) {
	err = v.call("", func() error {
		c.Version = v.aliases[name+" "+string(e)]
		return nil
	})

	return c, err
}

func (v versions) Publish(_ context.Context, name, _, key, digest string) (version string,
	err error) {
	err = v.call("publish "+name, func() error {
		if v.bundles[key] == nil {
			return fmt.Errorf("%s: no such object", key)
		}

		id := name + " " + digest
		if v.published[id] == "" {
			v.published[id] = "of " + digest[:4]
		}

		version = v.published[id]

		return nil
	})

	return version, err
}

func (v versions) Point(ctx context.Context, name string, e sm.Environment, version, _ string,
	verify func(context.Context) error) error {
	if err := verify(ctx); err != nil {
		return err
	}

	return v.call(fmt.Sprintf("point %s %s", e, name), func() error {
		v.aliases[name+" "+string(e)] = version
		return nil
	})
}

func (v versions) Followed(_ context.Context, name string) (sm.FunctionState, error) {
	return sm.FunctionState{Version: v.aliases[name+" live"]}, nil
}

func (v versions) Follow(ctx context.Context, name, version, _ string,
	verify func(context.Context) error) error {
	if err := verify(ctx); err != nil {
		return err
	}

	return v.call("follow "+name, func() error {
		v.aliases[name+" live"] = version
		return nil
	})
}

type stages struct{ *world }

func (s stages) Set(_ context.Context, e, alias sm.Environment, id string) error {
	return s.call(fmt.Sprintf("stage %s %s %s", e, alias, id), func() error {
		s.stages[e] = string(alias) + " " + id
		return nil
	})
}

func (s stages) Get(_ context.Context, e sm.Environment) (alias sm.Environment, release string,
	err error) {
	to, release, _ := strings.Cut(s.stages[e], " ")
	return sm.Environment(to), release, nil
}

type sites struct{ *world }

func (s sites) Put(_ context.Context, e sm.Environment, page release.Page) error {
	return s.call(fmt.Sprintf("put %s %s", e, page.Path), func() error {
		s.sites[e][page.Path] = page
		return nil
	})
}

func (s sites) List(_ context.Context, e sm.Environment) (paths []string, err error) {
	err = s.call("", func() error {
		paths = slices.Sorted(maps.Keys(s.sites[e]))
		return nil
	})

	return paths, err
}

func (s sites) Delete(_ context.Context, e sm.Environment, path string) error {
	return s.call(fmt.Sprintf("delete %s %s", e, path), func() error {
		delete(s.sites[e], path)
		return nil
	})
}

func (s sites) Stamp(_ context.Context, e sm.Environment, path string) (id string, found bool,
	err error) {
	err = s.call("", func() error {
		page, ok := s.sites[e][path]
		id, found = page.Release, ok

		return nil
	})

	return id, found, err
}

func (s sites) Same(_ context.Context, e sm.Environment, page release.Page) (same bool, err error) {
	err = s.call("", func() error {
		have, ok := s.sites[e][page.Path]
		same = ok && have.Release == page.Release && bytes.Equal(have.Body, page.Body)

		return nil
	})

	return same, err
}

type routes struct{ *world }

func (r routes) Get(context.Context) (route sm.Route, found bool, err error) {
	return r.route, r.route.Active != "", nil
}

func (r routes) Put(ctx context.Context, route sm.Route, verify func(context.Context) error) error {
	if err := verify(ctx); err != nil {
		return err
	}

	return r.call(fmt.Sprintf("route %s %d", route.Active, route.Weight), func() error {
		r.route = route
		return nil
	})
}

type roles struct{ *world }

func (r roles) Get(context.Context) (c sm.Control, err error) {
	err = r.call("", func() error { c = r.control; return nil })
	return c, err
}

func (r roles) Put(_ context.Context, c sm.Control) error {
	return r.call("roles "+string(c.Active), func() error { r.control = c; return nil })
}

type answers struct{ *world }

func (a answers) Succeed(_ context.Context, token string, output any) (bool, error) {
	data, err := json.Marshal(output)
	if err != nil {
		return false, err
	}

	return a.answer(token, "succeed ", string(data))
}

func (a answers) Fail(_ context.Context, token, name, cause string) (bool, error) {
	return a.answer(token, "fail ", name+": "+cause)
}

func (a answers) answer(token, how, what string) (delivered bool, err error) {
	err = a.call(how+token, func() error {
		delivered = a.answers[token] == "" && !a.used[token]
		if delivered {
			a.answers[token] = how + what
		}

		return nil
	})

	return delivered, err
}

// answered is the document that the token was answered with.
func (w *world) answered(token string) (doc sm.Document) {
	w.t.Helper()

	answer, ok := strings.CutPrefix(w.answers[token], "succeed ")
	if !ok || json.Unmarshal([]byte(answer), &doc) != nil {
		w.t.Fatalf("token %s: found the answer %q, expected a document", token, w.answers[token])
	}

	return doc
}

type schedules struct{ *world }

func (s schedules) At(_ context.Context, name string, at time.Time, token string, _ any) error {
	return s.call("schedule "+name, func() error {
		s.schedules[name] = token + " " + at.UTC().Format(time.RFC3339)
		return nil
	})
}

func (s schedules) Cancel(_ context.Context, name string) error {
	return s.call("cancel "+name, func() error { delete(s.schedules, name); return nil })
}

func (s schedules) List(context.Context) (names []string, err error) {
	err = s.call("", func() error { names = slices.Sorted(maps.Keys(s.schedules)); return nil })
	return names, err
}

type alarms struct{ *world }

func (a alarms) Ringing(_ context.Context, names []string) (ringing []string, err error) {
	err = a.call("", func() error {
		ringing = slices.DeleteFunc(slices.Clone(a.ringing),
			func(n string) bool { return !slices.Contains(names, n) })

		return nil
	})

	return ringing, err
}

func (a alarms) Breached(_ context.Context, name string, _ time.Time) (breached bool, err error) {
	err = a.call("", func() error { breached = !slices.Contains(a.outworn, name); return nil })
	return breached, err
}

type traffic struct{ *world }

func (t traffic) Calls(_ context.Context, e sm.Environment, _, _ time.Time) (requests,
	failed float64, err error) {
	err = t.call("", func() error { requests = t.requests[e]; return t.unread })
	return requests, 0, err
}

// Counts are the requests, in the last period.
func (t traffic) Counts(_ context.Context, series []sm.Series, period time.Duration, _,
	until time.Time) (counts []map[int64]float64, err error) {
	err = t.call("", func() error {
		for _, s := range series {
			count := map[int64]float64{}

			if s.Metric == "Count" {
				e := sm.A
				if s.Dimensions["Stage"] == sm.B.Stage() {
					e = sm.B
				}

				count[until.Truncate(period).Add(-period).Unix()] = t.requests[e]
			}

			counts = append(counts, count)
		}

		return nil
	})

	return counts, err
}

type freeze struct{ *world }

func (f freeze) Reason(context.Context) (reason string, err error) {
	err = f.call("", func() error { reason = f.frozen; return nil })
	return reason, err
}

type lambdas struct{ *world }

func (l lambdas) Invoke(_ context.Context, _ string, question any) (answer []byte, err error) {
	err = l.call("", func() error {
		text, err := l.ownProbe(question)
		answer = []byte(text)

		return err
	})

	return answer, err
}

type executions struct{ *world }

func (e executions) Start(_ context.Context, name string, input any) error {
	return e.call("start "+name, func() error {
		data, err := json.Marshal(input)
		e.executions[name] = string(data)

		return err
	})
}

func (e executions) Look(_ context.Context, execution string) (found machine.Execution, err error) {
	err = e.call("", func() error { found = e.fates[execution]; return nil })
	return found, err
}

func (e executions) ARN(name string) string { return "arn:exec:" + name }

// database does nothing but remember; what it says does not depend on how often it is asked.
type database struct {
	*world
	fence int64
}

func (d database) Expand(_ context.Context, id string, _ fs.FS) (string, error) {
	return "expanded", d.sql("expand "+id, func() { d.schema[id] = true })
}

func (d database) UndoExpand(_ context.Context, id string) (string, error) {
	return "undone", d.sql("undo "+id, func() { delete(d.schema, id) })
}

func (d database) Contract(_ context.Context, id string, _ fs.FS) (string, error) {
	return "contracted", d.sql("contract "+id, func() { d.schema[id+" contracted"] = true })
}

func (d database) OldClients(context.Context, string, time.Duration) (busy bool, found string,
	err error) {
	err = d.call("", func() error {
		if d.oldClients > 0 {
			d.oldClients--
			busy = true
		}

		return nil
	})

	return busy, "sessions of v1", err
}

func (d database) sql(what string, effect func()) error {
	return d.call("sql "+what, func() error {
		if d.fence != 0 && d.fence < d.schemaFence {
			return sm.Errorf(sm.LockLost, "%s: the schema was changed under a newer fence", what)
		}

		d.schemaFence = d.fence
		if d.schemaErr == nil {
			effect()
		}

		return d.schemaErr
	})
}

func (d database) Widened(context.Context) (ids []string, err error) {
	err = d.call("", func() error {
		for id := range d.schema {
			if !strings.HasSuffix(id, " contracted") && !d.schema[id+" contracted"] {
				ids = append(ids, id)
			}
		}

		slices.Sort(ids)

		return nil
	})

	return ids, err
}

func (d database) Close() error { return nil }

type web struct{ *world }

func (h web) Do(r *http.Request) (response *http.Response, err error) {
	err = h.call("", func() error {
		status, body := http.StatusOK, `{"price": 1}`
		if h.answerHTTP != nil {
			status, body = h.answerHTTP(r.URL.String())
		}

		response = &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}

		return nil
	})

	return response, err
}
