package environment_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// account is an application in memory, with a release that holds the lease: v1 is in b, the
// fallback; v0 is in a; v2 was uploaded. It records what is written, in order.
type account struct {
	t testing.TB

	mu       sync.Mutex
	writes   []string
	lock     sm.Lock
	verified int               // how often the lock was read
	aliases  map[string]string // "orders a" to its version
	marks    map[string]string // "orders a" to the mark that was written into it
	stages   map[sm.Environment]string
	sites    map[sm.Environment]map[string]release.Page
	bundles  map[string][]byte
	slow     time.Duration // how long it takes to write a page
	down     error         // what every read of a bundle fails with
}

func newAccount(t testing.TB) *account {
	return &account{t: t,
		lock: sm.Lock{Fence: 1, Holder: &sm.Holder{Execution: "arn:v2", Release: "v2"}},
		aliases: map[string]string{"catalog a": "1", "catalog b": "1", "orders a": "0", "orders b": "1",
			"orders live": "1"},
		marks:   map[string]string{},
		stages:  map[sm.Environment]string{sm.A: "a v0", sm.B: "b v1"},
		sites:   map[sm.Environment]map[string]release.Page{sm.A: {}, sm.B: {}},
		bundles: map[string][]byte{},
	}
}

func (a *account) layers() environment.Layers {
	settings := sm.Settings{App: "shop", StateBucket: "state", Functions: []sm.AppFunction{
		{Name: "catalog"}, {Name: "orders", Live: true}}}

	return environment.New(ledger.Ledger{App: "shop", Store: store{a}}, settings, bundles{a},
		versions{a}, stages{a}, sites{a})
}

// document is that of the lease holder.
func document() sm.Document {
	return sm.Document{Execution: "arn:v2", Release: "v2", Sequence: 2, Fence: 1, Active: sm.A,
		Fallback: sm.B}
}

// takeOver gives the lock to another execution.
func (a *account) takeOver() {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.lock.Fence, a.lock.Holder.Execution = 2, "arn:other"
}

// upload puts a site bundle into the state bucket, and says what an environment has of it.
func (a *account) upload(id string) sm.EnvironmentState {
	files := map[string]string{"index.html": id + " at %LOCKSTEP_API%", id + ".html": "hello",
		"assets/" + id + ".js": id}

	var out bytes.Buffer

	archive := zip.NewWriter(&out)

	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := archive.Create(name)
		if err == nil {
			_, err = entry.Write([]byte(files[name]))
		}

		if err != nil {
			a.t.Fatal(err)
		}
	}

	if err := archive.Close(); err != nil {
		a.t.Fatal(err)
	}

	key, sum := "releases/"+id+"/site.zip", sha256.Sum256(out.Bytes())
	a.bundles[key] = out.Bytes()

	return sm.EnvironmentState{InSync: true, Release: id, Site: &sm.SiteState{Release: id, Key: key,
		SHA256: hex.EncodeToString(sum[:]), Assets: "assets/"}}
}

// has puts pages into a site bucket, each with the stamp of a release.
func (a *account) has(e sm.Environment, id string, paths ...string) {
	for _, path := range paths {
		a.sites[e][path] = release.Page{Path: path, Release: id}
	}
}

func (a *account) wrote(expected ...string) {
	a.t.Helper()

	if !slices.Equal(a.writes, expected) {
		a.t.Errorf("wrote %q, expected %q", a.writes, expected)
	}
}

func (a *account) write(format string, args ...any) {
	a.writes = append(a.writes, fmt.Sprintf(format, args...))
}

type store struct{ *account }

func (s store) Get(_ context.Context, key string, into any) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if key != sm.LockKey {
		return "", nil
	}

	data, err := json.Marshal(s.lock)
	if err != nil {
		return "", err
	}

	s.verified++

	return "1", json.Unmarshal(data, into)
}

func (store) Put(_ context.Context, key string, _ any, _ string) (string, error) {
	return "", errors.New("a layer writes nothing into the ledger: " + key)
}

type bundles struct{ *account }

func (b bundles) Read(_ context.Context, key string, _ int64) ([]byte, error) {
	if b.down != nil {
		return nil, b.down
	}

	if data := b.bundles[key]; data != nil {
		return data, nil
	}

	return nil, fmt.Errorf("%s: no such object", key)
}

func (bundles) Newest(context.Context) (string, error) { return "", errors.New("nobody asks") }

type versions struct{ *account }

func (v versions) At(_ context.Context, name string, e sm.Environment) (sm.FunctionState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	return sm.FunctionState{Version: v.aliases[name+" "+string(e)]}, nil
}

func (v versions) Publish(_ context.Context, name, bucket, key, digest string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	if bucket != "state" || digest == "" {
		return "", fmt.Errorf("publish %s of s3://%s/%s: refused", name, bucket, key)
	}

	v.write("publish %s", name)

	return "of " + digest, nil
}

func (v versions) Point(ctx context.Context, name string, e sm.Environment, version, mark string,
	verify func(context.Context) error) error {
	return v.move(ctx, name+" "+string(e), version, mark, verify)
}

func (v versions) Followed(_ context.Context, name string) (sm.FunctionState, error) {
	return sm.FunctionState{Version: v.aliases[name+" "+sm.LiveAlias]}, nil
}

func (v versions) Follow(ctx context.Context, name, version, mark string,
	verify func(context.Context) error) error {
	return v.move(ctx, name+" "+sm.LiveAlias, version, mark, verify)
}

func (v versions) move(ctx context.Context, alias, version, mark string,
	verify func(context.Context) error) error {
	v.mu.Lock()
	there := v.aliases[alias] == version && v.marks[alias] == mark
	v.mu.Unlock()

	if there {
		return nil
	}

	if err := verify(ctx); err != nil {
		return err
	}

	v.mu.Lock()
	defer v.mu.Unlock()

	v.aliases[alias], v.marks[alias] = version, mark
	v.write("point %s %s", alias, version)

	return nil
}

type stages struct{ *account }

func (s stages) Set(_ context.Context, e, alias sm.Environment, id string) error {
	s.stages[e] = string(alias) + " " + id
	s.write("stage %s %s", e, s.stages[e])

	return nil
}

func (s stages) Get(_ context.Context, e sm.Environment) (sm.Environment, string, error) {
	alias, id, _ := strings.Cut(s.stages[e], " ")
	return sm.Environment(alias), id, nil
}

type sites struct{ *account }

func (s sites) Put(_ context.Context, e sm.Environment, page release.Page) error {
	time.Sleep(s.slow)
	s.sites[e][page.Path] = page
	s.write("put %s %s of %s", e, page.Path, page.Release)

	return nil
}

func (s sites) List(_ context.Context, e sm.Environment) ([]string, error) {
	return slices.Sorted(maps.Keys(s.sites[e])), nil
}

func (s sites) Delete(_ context.Context, e sm.Environment, path string) error {
	delete(s.sites[e], path)
	s.write("delete %s %s", e, path)

	return nil
}

func (s sites) Stamp(_ context.Context, e sm.Environment, path string) (string, bool, error) {
	page, found := s.sites[e][path]
	return page.Release, found, nil
}

func (s sites) Same(_ context.Context, e sm.Environment, page release.Page) (bool, error) {
	have := s.sites[e][page.Path]
	return have.Release == page.Release && bytes.Equal(have.Body, page.Body), nil
}

// is fails the test unless these differences were found, each as "kind subject".
func is(t testing.TB, found []environment.Difference, err error, expected ...string) {
	t.Helper()

	var short []string

	for _, d := range found {
		short = append(short, string(d.Kind)+" "+d.Subject)

		if !strings.Contains(d.Text, d.Subject) {
			t.Errorf("found %q, expected it to name %s", d.Text, d.Subject)
		}
	}

	if err != nil || !slices.Equal(short, expected) {
		t.Errorf("found %q, %v, expected %q", short, err, expected)
	}
}
