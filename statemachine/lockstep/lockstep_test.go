package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/statemachine"
)

// account is an AWS account in which the stack of the application shop is deployed.
type account struct {
	t      *testing.T
	s3     *s3.Service
	config aws.Config
	events []events.Event
	puts   []string // the keys written, in order
	lambda http.HandlerFunc
}

func newAccount(t *testing.T) *account {
	a := &account{t: t}
	bus := events.New(nil)
	t.Cleanup(bus.Close)
	bus.CreateBus("shop")
	t.Cleanup(bus.Subscribe("shop", func(e events.Event) { a.events = append(a.events, e) }))

	parameters := ssm.New(nil)
	if err := parameters.Put("/lockstep/shop/environments",
		`{"active":"b","fallback":"a"}`); err != nil {
		t.Fatal(err)
	}

	a.s3 = s3.New(nil)
	a.s3.CreateBucket("state", false)
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": a.s3, "events": bus, "ssm": parameters,
		"lambda": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.lambda(w, r) })})
	endpoint.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				a.puts = append(a.puts, strings.TrimPrefix(r.URL.Path, "/state/"))
			}

			next.ServeHTTP(w, r)
		})
	})
	a.config = endpoint.Config()
	a.put(statemachine.SettingsKey, statemachine.Settings{App: "shop", StateBucket: "state",
		Bus: "shop", Functions: []statemachine.AppFunction{{Name: "catalog",
			Lambda: "shop-catalog"}}, Database: &statemachine.Database{}, Ramp: statemachine.RampPlan{
			Steps: []statemachine.RampStep{{Percent: 5, Bake: statemachine.Duration(time.Minute)},
				{Percent: 100}},
		}})

	return a
}

func (a *account) put(key string, value any) {
	a.t.Helper()

	data, err := json.Marshal(value)
	if err == nil {
		err = a.s3.Put("state", key, s3.Object{Body: data})
	}

	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer

	code = run(a.t.Context(), append([]string{"--state-bucket", "state"}, args...), &out, &errs,
		func(context.Context) (aws.Config, error) { return a.config, nil })

	return code, out.String(), errs.String()
}

func (a *account) expect(want int, args ...string) string {
	a.t.Helper()

	code, stdout, stderr := a.run(args...)
	if code != want {
		a.t.Fatalf("lockstep %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout,
			stderr)
	}

	if n := strings.Count(stderr, "\n"); (want != 0) != (n == 1) {
		a.t.Errorf("lockstep %s: want one line of error where it fails and none else:\n%s",
			strings.Join(args, " "), stderr)
	}

	return stdout + stderr
}

func releaseFolder(t *testing.T, page string) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"lockstep.json": `{"release":"v2","sequence":2}`, "site/index.html": page, "functions/catalog/bootstrap": "elf",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

func TestRelease_UploadsAndMerges(t *testing.T) {
	a := newAccount(t)
	a.expect(0, "release", releaseFolder(t, "<h1>"), "--sequence", "7")

	want := []string{"releases/v2/site.zip", "releases/v2/functions/catalog.zip",
		"releases/v2/release.json"}
	if !slices.Equal(a.puts, want) {
		t.Errorf("wrote %v, want %v: the manifest last", a.puts, want)
	}

	object, _ := a.s3.Get("state", "releases/v2/release.json")
	if m, err := statemachine.ParseManifest("release.json", object.Body); err != nil ||
		m.Sequence != 7 {
		t.Errorf("uploaded %s: %v", object.Body, err)
	}

	if len(a.events) != 1 || a.events[0].Source != "lockstep.ci" ||
		a.events[0].DetailType != "Release Merged" ||
		string(a.events[0].Detail) != `{"app":"shop","release":"v2","sequence":7}` {
		t.Errorf("put %+v", a.events)
	}
}

// Begin would refuse it too, but the id would be used up.
func TestRelease_OfWhatTheApplicationHasNot(t *testing.T) {
	a := newAccount(t)

	dir := releaseFolder(t, "<h1>")
	if err := os.Rename(filepath.Join(dir, "functions", "catalog"),
		filepath.Join(dir, "functions", "basket")); err != nil {
		t.Fatal(err)
	}

	text := a.expect(exitRefused, "release", dir)
	if !strings.Contains(text, "functions.basket: not a function of shop, which has catalog") ||
		len(a.puts) != 0 || len(a.events) != 0 {
		t.Errorf("got %s, wrote %v and put %d events; want nothing written", text, a.puts, len(a.events))
	}
}

func TestRelease_Twice(t *testing.T) {
	a := newAccount(t)
	dir := releaseFolder(t, "<h1>")
	a.expect(0, "release", dir)
	a.puts = nil
	a.expect(0, "release", dir)

	if len(a.puts) != 0 || len(a.events) != 2 {
		t.Errorf("wrote %v and put %d events; want nothing written and the merge again", a.puts,
			len(a.events))
	}

	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2",
		Execution: "arn:aws:states:us-east-1:1:execution:shop:7", Outcome: statemachine.RolledBack})

	text := a.expect(exitRolledBack, "release", dir)
	if !strings.Contains(text, "start-execution --state-machine-arn arn:aws:states:us-east-1:1:stateMachine:shop --input") || len(a.events) != 2 {
		t.Errorf("of one that was rolled back: got %s and put %d events; want the command that tries it again, and no merge", text, len(a.events))
	}

	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2",
		Outcome: statemachine.Released})

	if text := a.expect(0, "release", dir); !strings.Contains(text, "release it under a new id") ||
		strings.Contains(text, "start-execution") || len(a.events) != 2 {
		t.Errorf("of one that was released: got %s and put %d events; want no command that would be refused, and no merge", text, len(a.events))
	}
}

// The machine ignores the second merge, so what it asked for must not be promised.
func TestRelease_OfOneThatIsMerged(t *testing.T) {
	for says, lock := range map[string]statemachine.Lock{
		"v2 is merged;":            {Holder: &statemachine.Holder{Release: "v1"}},
		"v2 is under way already;": {Holder: &statemachine.Holder{Release: "v2", Execution: "2"}},
		"v2 is in the queue already;": {Holder: &statemachine.Holder{Release: "v1"},
			Queue: []statemachine.QueueEntry{{Release: "v2"}}},
	} {
		a := newAccount(t)
		dir := releaseFolder(t, "<h1>")

		a.put(statemachine.LockKey, lock)

		if text := a.expect(0, "release", dir); !strings.Contains(text, says) || len(a.events) != 1 {
			t.Errorf("got %s and put %d events, want %q and the merge", text, len(a.events), says)
		}

		if says == "v2 is merged;" {
			continue
		}

		a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Execution: "2"})

		text := a.expect(exitRefused, "release", dir, "--hotfix", "--reason", "the till is broken")
		if !strings.Contains(text, `release --hotfix: found "v2", which is merged already`) ||
			len(a.events) != 1 {
			t.Errorf("as a hotfix, where it %s got %s and put %d events, want it refused", says, text,
				len(a.events))
		}
	}
}

// What was lost of a release that everyone has is needed still: a rollback would write its site
// anew.
func TestRelease_PutsBackWhatWasLost(t *testing.T) {
	a := newAccount(t)
	dir := releaseFolder(t, "<h1>")
	a.expect(0, "release", dir)
	was, _ := a.s3.Get("state", "releases/v2/site.zip")

	for name, broken := range map[string]func(){
		"lost": func() {
			if _, err := awss3.NewFromConfig(a.config).DeleteObject(t.Context(),
				&awss3.DeleteObjectInput{Bucket: aws.String("state"),
					Key: aws.String("releases/v2/site.zip")}); err != nil {
				t.Fatal(err)
			}
		},
		"written over": func() {
			_ = a.s3.Put("state", "releases/v2/site.zip",
				s3.Object{Body: []byte("hello")})
		},
	} {
		broken()

		a.puts = nil

		text := a.expect(0, "release", dir)
		if is, _ := a.s3.Get("state", "releases/v2/site.zip"); !bytes.Equal(is.Body, was.Body) ||
			!slices.Equal(a.puts, []string{"releases/v2/site.zip"}) {
			t.Errorf("%s: wrote %v, and there are %d bytes, expected %d", name, a.puts, len(is.Body),
				len(was.Body))
		}

		if !strings.Contains(text, "uploaded releases/v2/site.zip again") {
			t.Errorf("%s: said %s", name, text)
		}
	}
}

func TestRelease_SameIDWithOtherContent(t *testing.T) {
	a := newAccount(t)
	a.expect(0, "release", releaseFolder(t, "<h1>"))

	if text := a.expect(exitRefused, "release", releaseFolder(t, "<h2>")); !strings.Contains(text,
		`"v2"`) || !strings.Contains(text, "(site)") {
		t.Errorf("got %s, want the release and what differs", text)
	}

	if len(a.events) != 1 {
		t.Errorf("put %d events, want only the first", len(a.events))
	}

	a.expect(0, "release", releaseFolder(t, "<h2>"), "--id", "v3", "--sequence", "3")
}

// Killed before the manifest was there, an upload is repeated whole.
func TestRelease_MigrationThatBreaksTheOldVersion(t *testing.T) {
	a := newAccount(t)
	dir := releaseFolder(t, "<h1>")

	file := filepath.Join(dir, "migrations", "expand", "00002_rename.sql")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(file, []byte("-- +goose Up\nALTER TABLE t RENAME a TO b;\n-- +goose Down\nALTER TABLE t RENAME b TO a;\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	if text := a.expect(exitRefused, "release", dir); !strings.Contains(text,
		"expand/00002_rename.sql:2: rename: ") {
		t.Errorf("got %s", text)
	}
}

func TestRelease_KilledHalfWay(t *testing.T) {
	a := newAccount(t)
	if err := a.s3.Put("state", "releases/v2/site.zip", s3.Object{Body: []byte("half")}); err != nil {
		t.Fatal(err)
	}

	a.expect(0, "release", releaseFolder(t, "<h1>"))

	if object, _ := a.s3.Get("state", "releases/v2/site.zip"); string(object.Body) == "half" {
		t.Error("the half is still there")
	}
}

func TestRelease_Wait(t *testing.T) {
	for outcome, code := range map[statemachine.Outcome]int{
		statemachine.Released: 0, statemachine.RolledBack: exitRolledBack,
		statemachine.Refused: exitRefused, statemachine.Superseded: exitSuperseded,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t)
			go func() {
				a.put(statemachine.LockKey, statemachine.Lock{
					Holder: &statemachine.Holder{Release: "v1"}, Queue: []statemachine.QueueEntry{{Release: "v2"}},
				})
				time.Sleep(2 * pickUpTimeout)

				record := statemachine.Record{Release: "v2",
					Events: []statemachine.Event{{State: statemachine.Begin, Text: "took the lock"}}}
				a.put(statemachine.RecordKey("v2"), record)
				time.Sleep(2 * pickUpTimeout)

				record.Events = append(record.Events, statemachine.Event{State: statemachine.Finish,
					Text: "the end"})
				record.Outcome, record.Cause = outcome, statemachine.Cause{Text: "because of it"}
				a.put(statemachine.RecordKey("v2"), record)
			}()

			text := a.expect(code, "release", "--wait", releaseFolder(t, "<h1>"))
			for _, want := range []string{"v2 waits until v1 has ended", "took the lock", "the end"} {
				if strings.Count(text, want) != 1 {
					t.Errorf("%s: want %q once in\n%s", outcome, want, text)
				}
			}

			if (outcome != statemachine.Released) != strings.Contains(text, "because of it") {
				t.Errorf("%s: got\n%s", outcome, text)
			}
		})
	}
}

func TestRelease_Wait_NobodyTakesItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		if text := a.expect(exitUnreachable, "release", "--wait",
			releaseFolder(t, "<h1>")); !strings.Contains(text, "rule on bus shop") {
			t.Errorf("got %s", text)
		}
	})
}

func TestSignal(t *testing.T) {
	a := newAccount(t)
	a.expect(exitRefused, "rollback")
	a.put(statemachine.LockKey, statemachine.Lock{Holder: &statemachine.Holder{Release: statemachine.RepairRelease}})
	if text := a.expect(exitRefused, "rollback"); !strings.Contains(text,
		"no release is under way, only a repair") {
		t.Errorf("rollback of a repair: got %s", text)
	}

	a.put(statemachine.LockKey, statemachine.Lock{Holder: &statemachine.Holder{Release: "v2"}})
	a.expect(exitRefused, "rollback", "--release", "v1")

	if len(a.events) != 0 {
		t.Fatalf("put %v", a.events)
	}

	if text := a.expect(exitRefused, "approve"); !strings.Contains(text,
		"v2 does not wait for an approval") ||
		len(a.events) != 0 {
		t.Errorf("approve, with nothing to approve: got %s and %v", text, a.events)
	}

	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2",
		Held: &statemachine.Held{By: statemachine.HeldByApproval}})

	for _, action := range []string{"pause", "resume", "advance", "promote", "approve", "rollback"} {
		a.events = nil
		a.expect(0, action, "--reason", "lunch")

		want := `{"app":"shop","release":"v2","action":"` + action + `","reason":"lunch"}`
		if len(a.events) != 1 || a.events[0].Source != "lockstep.operator" ||
			a.events[0].DetailType != "Operator Request" ||
			string(a.events[0].Detail) != want {
			t.Errorf("%s: put %v", action, a.events)
		}
	}
}

// A signal that comes too early or too late would be dropped, and its sender would rely on it.
func TestSignal_WithoutEffect(t *testing.T) {
	a, now := newAccount(t), time.Now()
	a.put(statemachine.LockKey, statemachine.Lock{Holder: &statemachine.Holder{Release: "v2"}})
	for says, c := range map[string]struct {
		record  statemachine.Record
		refused []string
		passes  []string
	}{
		"v2 is not promoted yet": {statemachine.Record{}, []string{"contract"},
			[]string{"pause", "resume", "advance", "promote", "rollback"}},
		"v2 is promoted, so its ramp is over": {statemachine.Record{Promoted: &now},
			[]string{"pause", "resume", "advance", "promote"}, []string{"contract", "rollback"}},
		"v2 is contracted and cannot be rolled back": {statemachine.Record{Promoted: &now,
			Contracted: true},
			[]string{"pause", "resume", "advance", "promote", "contract", "rollback"}, nil},
	} {
		c.record.Release = "v2"
		a.put(statemachine.RecordKey("v2"), c.record)

		a.events = nil
		for _, action := range c.refused {
			if text := a.expect(exitRefused, action); !strings.Contains(text, says) || len(a.events) != 0 {
				t.Errorf("%s: got %s and %v, expected %q", action, text, a.events, says)
			}
		}

		for _, action := range c.passes {
			a.expect(0, action)
		}
	}
}

func TestBadInput(t *testing.T) {
	a := newAccount(t)
	for want, args := range map[string][]string{
		"no state bucket":                     {"--state-bucket=", "status"},
		"settings.json: found no such object": {"--state-bucket=other", "status"},
		`belongs to "shop"`:                   {"--app=blog", "status"},
		`"v9", which the state bucket`:        {"status", "v9"},
		"lockstep.json: found no such file":   {"release", t.TempDir()},
		"unexpected argument":                 {"relaese", "x"},
	} {
		a.s3.CreateBucket("other", false)

		if text := a.expect(exitRefused, args...); !strings.Contains(text, want) {
			t.Errorf("%v: got %s, want %q", args, text, want)
		}
	}

	if text := a.expect(exitUnreachable, "--state-bucket=nowhere", "status"); !strings.Contains(text,
		"NoSuchBucket") || strings.Contains(text, "operation error") {
		t.Errorf("no such bucket: got %s", text)
	}
}

func TestRelease_AsAHotfix(t *testing.T) {
	a := newAccount(t)

	dir := releaseFolder(t, "<h1>")
	for _, args := range [][]string{{"--hotfix"}, {"--hotfix", "--reason", " "},
		{"--reason", "the till is broken"}} {
		if code, _, stderr := a.run(append([]string{"release", dir}, args...)...); code == 0 ||
			!strings.Contains(stderr, "--hotfix and --reason go together") {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}

	if len(a.puts) != 0 || len(a.events) != 0 {
		t.Errorf("refused, it wrote %v and put %d events", a.puts, len(a.events))
	}

	a.expect(0, "release", dir, "--hotfix", "--reason", "the till is broken")

	if len(a.events) != 1 || string(a.events[0].Detail) != `{"app":"shop","release":"v2","sequence":2,"hotfix":true,"reason":"the till is broken"}` {
		t.Errorf("put %+v", a.events)
	}
}
