package step_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/schema"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
	"lockstep/statemachine/migration/lint"
)

const (
	one = "arn:exec:v1"
	two = "arn:exec:v2"
)

// newWorld is a shop whose v1 is live in b; a still carries the v0 before it. v2 was uploaded, v3
// too.
func newWorld(t testing.TB) *world {
	w := &world{
		t: t, objects: map[string]json.RawMessage{}, tags: map[string]int{}, bundles: map[string][]byte{},
		aliases: map[string]string{"catalog a": "0", "orders a": "0", "catalog b": "1", "orders b": "1",
			"orders live": "1"},
		published: map[string]string{}, stages: map[sm.Environment]string{sm.A: "a v0", sm.B: "b v1"},
		sites:   map[sm.Environment]map[string]release.Page{sm.A: {}, sm.B: {}},
		route:   sm.Route{Active: sm.A, Fallback: sm.B, Release: "v1"},
		control: sm.Control{Active: sm.A, Fallback: sm.B},
		answers: map[string]string{}, used: map[string]bool{}, schedules: map[string]string{}, executions: map[string]string{}, fates: map[string]machine.Execution{},
		requests: map[sm.Environment]float64{sm.A: 100}, schema: map[string]bool{},
	}

	w.settings = sm.Settings{
		App: "shop", StateBucket: "state", SiteURL: "https://shop", Database: &sm.Database{Secret: "secret"},
		Functions: []sm.AppFunction{{Name: "catalog", Lambda: "shop-catalog"},
			{Name: "orders", Lambda: "shop-orders", Live: true}},
		Alarms: []sm.Alarm{{Name: "errors-a", Environment: sm.A}, {Name: "slow-a", Environment: sm.A},
			{Name: "errors-b", Environment: sm.B}, {Name: "errors-live", Environment: sm.LiveAlias}},
		Ramp: sm.RampPlan{Steps: []sm.RampStep{{Percent: 5, Bake: sm.Duration(10 * time.Minute)},
			{Percent: 100, Bake: sm.Duration(time.Hour)}},
			MinimumRequests: 10, MaxExtensions: 1},
		Drain: sm.DrainPlan{Quiet: sm.Duration(15 * time.Minute), AtMost: sm.Duration(24 * time.Hour)},
		Sweep: sm.Duration(5 * time.Minute), CallTimeout: sm.Duration(29 * time.Second), EdgeConvergence: sm.Duration(90 * time.Second), MetricPeriod: sm.Duration(time.Minute),
	}
	for i, id := range []string{"v1", "v2", "v3"} {
		w.upload(id, int64(i+1), nil)
	}

	carries := func(e sm.Environment, id string, sequence int64) {
		manifest, digest := w.manifest("v1"), ""
		if manifest.Site != nil {
			digest = manifest.Site.SHA256
		}

		w.store(sm.EnvironmentKey(e), sm.EnvironmentState{Environment: e, InSync: true, Release: id,
			Sequence: sequence,
			Site: &sm.SiteState{Release: "v1", Key: "releases/v1/site.zip", SHA256: digest,
				Assets: "assets/"}})

		for _, path := range []string{"index.html", id + ".html", "assets/app-" + id + ".js"} {
			w.sites[e][path] = release.Page{Path: path, Release: id}
		}
	}
	carries(sm.A, "v0", 0)
	carries(sm.B, "v1", 1)
	w.store(sm.LockKey, sm.Lock{Fence: 1})

	return w
}

// upload puts a whole release into the state bucket; spoil may take from it.
func (w *world) upload(id string, sequence int64, spoil func(*sm.Manifest)) {
	m := sm.Manifest{Release: id, Sequence: sequence, Functions: map[string]sm.Artifact{},
		Probes: []sm.HTTPProbe{{Path: "/catalog", Contains: "price"}}}
	add := func(object string, files map[string]string) sm.Artifact {
		data, digest := pack(w.t, files)
		w.bundles["releases/"+id+"/"+object] = data

		return sm.Artifact{Object: object, SHA256: digest}
	}

	m.Site = &sm.Site{Artifact: add("site.zip", map[string]string{"index.html": id +
		" at %LOCKSTEP_API%", id + ".html": "hello", "assets/app-" + id + ".js": id})}
	for _, name := range []string{"catalog", "orders"} {
		m.Functions[name] = add(name+".zip", map[string]string{"bootstrap": name + id})
	}

	migrations := add("migrations.zip", map[string]string{
		"expand/00002_widen.sql":    "-- +goose Up\nALTER TABLE orders ADD COLUMN note text;\n-- +goose Down\nALTER TABLE orders DROP COLUMN note;\n",
		"contract/00002_narrow.sql": "-- +goose Up\nALTER TABLE orders DROP COLUMN remark;\n"})

	m.Migrations = &migrations
	if spoil != nil {
		spoil(&m)
	}

	data, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}

	w.bundles[sm.ManifestKey(id)] = data
}

func (w *world) manifest(id string) (m sm.Manifest) {
	if err := json.Unmarshal(w.bundles[sm.ManifestKey(id)], &m); err != nil {
		w.t.Fatal(err)
	}

	return m
}

func (w *world) book() ledger.Ledger {
	return ledger.Ledger{App: "shop", Store: objectStore{w}, Bus: bus{w}, Queue: w.policy}
}

func (w *world) layers() environment.Layers {
	return environment.New(w.book(), w.settings, bundles{w}, versions{w}, stages{w}, sites{w})
}

func (w *world) witness() evidence.Collector {
	return evidence.Collector{Settings: w.settings, Alarms: alarms{w}, Traffic: traffic{w}}
}

func (w *world) open() schema.Open {
	return func(_ context.Context, fence int64) (schema.Database, error) {
		return database{w, fence}, w.call("", func() error { return nil })
	}
}

// The steps, each on this world.

func (w *world) begin(execution, token, event string) (sm.Document, error) {
	return w.beginAsked(sm.Attempt{}, execution, token, event)
}

func (w *world) beginAsked(asked sm.Attempt, execution, token, event string) (sm.Document, error) {
	b := step.Begin{Ledger: w.book(), Settings: w.settings, Bundles: bundles{w},
		Migrations: lint.Check, Roles: roles{w}, Routes: routes{w}, Stages: stages{w}.Get, Answers: answers{w}, Alarms: alarms{w}, Freeze: freeze{w}, Schedules: schedules{w}}

	return b.Run(w.t.Context(), sm.BeginInput{Attempt: asked, Execution: execution, TaskToken: token,
		Event: json.RawMessage(event)})
}

func (w *world) ramp(token string, doc sm.Document) (sm.Document, error) {
	return w.rampAsked(sm.Attempt{}, token, doc)
}

func (w *world) rampAsked(asked sm.Attempt, token string, doc sm.Document) (sm.Document, error) {
	r := step.Ramp{Ledger: w.book(), Settings: w.settings, Routes: routes{w}, Schedules: schedules{w},
		Freeze: freeze{w}, Answers: answers{w}}

	return r.Run(w.t.Context(), sm.RampInput{Attempt: asked, TaskToken: token, Document: doc})
}

func (w *world) run(task sm.Task, doc sm.Document) (sm.Document, error) {
	c := w.t.Context()

	switch task {
	case sm.Sync:
		return (&step.Sync{w.layers()}).Run(c, doc)
	case sm.Expand:
		return (&step.Expand{Ledger: w.book(), Bundles: bundles{w}, Open: w.open()}).Run(c, doc)
	case sm.Deploy:
		return (&step.Deploy{Layers: w.layers(), Routes: routes{w},
			Secret: func() string { return "let-me-see" }}).Run(c, doc)
	case sm.Probe:
		return (&step.Probe{Ledger: w.book(), Settings: w.settings, Bundles: bundles{w}, Sites: sites{w},
			HTTP: web{w}, Lambdas: lambdas{w}}).Run(c, doc)
	case sm.Ramp:
		return w.ramp("ramp", doc)
	case sm.CheckAlarms:
		return (&step.CheckAlarms{Ledger: w.book(), Collector: w.witness()}).Run(c, doc)
	case sm.Promote:
		return (&step.Promote{Ledger: w.book(), Events: w.layers().Events, Routes: routes{w}, Roles: roles{w},
			Schedules: schedules{w}}).Run(c, doc)
	case sm.Drain:
		return (&step.Drain{Ledger: w.book(), Collector: w.witness()}).Run(c, doc)
	case sm.Contract:
		return (&step.Contract{Ledger: w.book(), Settings: w.settings, Bundles: bundles{w},
			Open: w.open()}).Run(c, doc)
	case sm.Rollback:
		return (&step.Rollback{Layers: w.layers(), Routes: routes{w}, Roles: roles{w},
			Schedules: schedules{w}}).Run(c, doc)
	case sm.Finish:
		return (&step.Finish{Ledger: w.book(), App: "shop", Answers: answers{w},
			Schedules: schedules{w}}).Run(c, doc)
	}

	w.t.Fatalf("no step %s", task)

	return doc, nil
}

func (w *world) signal(id, detailType string, detail any) (step.SignalResult, error) {
	return w.signalAt(time.Now().UTC(), id, detailType, detail)
}

func (w *world) signalAt(at time.Time, id, detailType string, detail any) (step.SignalResult, error) {
	data, err := json.Marshal(detail)
	if err != nil {
		w.t.Fatal(err)
	}

	s := step.Signal{Ledger: w.book(), Settings: w.settings, Answers: answers{w},
		Schedules: schedules{w}}

	return s.Run(w.t.Context(), machine.Event{ID: id, DetailType: detailType, Time: at, Detail: data})
}

func (w *world) operator(id string, action sm.SignalKind) (step.SignalResult, error) {
	return w.signal(id, sm.DetailOperator, sm.Operator{App: "shop", Action: action})
}

func (w *world) alarm(id, name, state string) (step.SignalResult, error) {
	return w.signal(id, "CloudWatch Alarm State Change", rings(name, state))
}

func (w *world) died(execution, status, name string, input ...string) (recovery.Report, error) {
	data, _ := json.Marshal(map[string]string{"executionArn": execution, "status": status,
		"error": name, "input": strings.Join(input, "")})

	return w.recoverer().Run(w.t.Context(), machine.Event{ID: "1", Detail: data})
}

func (w *world) recoverer() *recovery.Recover {
	return &recovery.Recover{Ledger: w.book(), Settings: w.settings, Executions: executions{w},
		Answers: answers{w}, Schedules: schedules{w}}
}

func (w *world) sweep() (recovery.Report, error) {
	return w.recoverer().Run(w.t.Context(), machine.Event{ID: "1", DetailType: sm.DetailScheduled})
}

// release runs v2 up to a step, and gives what that step gets.
func (w *world) release(upTo sm.Task) sm.Document {
	w.t.Helper()

	if _, err := w.begin(two, "begin", `{"release":"v2"}`); err != nil {
		w.t.Fatal(err)
	}

	doc := w.answered("begin")

	for _, task := range []sm.Task{sm.Sync, sm.Expand, sm.Deploy, sm.Probe, sm.Ramp, sm.CheckAlarms,
		sm.Promote, sm.Drain, sm.Contract, sm.Finish} {
		if task == upTo {
			break
		}

		var err error

		if task == sm.Drain {
			time.Sleep(w.settings.Drain.Quiet.Std())
		}

		if doc, err = w.run(task, doc); err != nil {
			w.t.Fatalf("%s: %v", task, err)
		}
	}

	w.revive()

	return doc
}

// must fails the test where a step that has to go well does not.
func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()

		if err != nil {
			t.Fatal(err)
		}

		return value
	}
}

// named fails the test unless the error has the name.
func named(t testing.TB, err error, name string, says ...string) {
	t.Helper()

	if sm.Name(err) != name {
		t.Errorf("found %v (%q), expected %s", err, sm.Name(err), name)
		return
	}

	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("found %q, expected it to say %q", err, s)
		}
	}
}

// state is everything that a second attempt must leave as a single one does.
// The story is left out: it says what each attempt did.
func (w *world) state() string {
	ledger := map[string]any{}

	for key, data := range w.objects {
		var object map[string]any

		ledger[key] = json.RawMessage(data)
		if json.Unmarshal(data, &object) == nil && object != nil {
			delete(object, "after") // a write that changes nothing is one
			delete(object, "events")
			delete(object, "notified") // who asks again removes it, or the sweep
			ledger[key] = object
		}
	}

	data, err := json.MarshalIndent(map[string]any{
		"ledger": ledger, "aliases": w.aliases, "published": w.published, "stages": w.stages, "sites": w.sites, "route": w.route,
		"control": w.control, "answers": w.answers, "schedules": w.schedules, "executions": w.executions, "schema": w.schema,
	}, "", " ")
	if err != nil {
		w.t.Fatal(err)
	}

	return string(data)
}

// difference shows the first lines in which two states differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("\n got %s\nwant %s", strings.Join(g[i:min(i+4, len(g))], "\n     "),
				strings.Join(w[i:min(i+4, len(w))], "\n     "))
		}
	}

	return fmt.Sprintf("%d lines, expected %d", len(g), len(w))
}

// pack makes a zip of files and its digest.
func pack(t testing.TB, files map[string]string) (data []byte, digest string) {
	t.Helper()

	var out bytes.Buffer

	archive := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := archive.Create(name)
		if err == nil {
			_, err = entry.Write([]byte(files[name]))
		}

		if err != nil {
			t.Fatal(err)
		}
	}

	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}

	sum := sha256.Sum256(out.Bytes())

	return out.Bytes(), hex.EncodeToString(sum[:])
}
