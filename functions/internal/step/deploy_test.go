package step_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"lockstep/functions/internal/release"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

func TestSync_MakesActiveTheSame(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Sync)
	must[sm.Document](t)(w.run(sm.Sync, doc))

	if w.aliases["catalog a"] != "1" || w.aliases["orders a"] != "1" || w.stages[sm.A] != "a v1" {
		t.Errorf("aliases %v, stages %v", w.aliases, w.stages)
	}

	site := w.sites[sm.A]
	if page := site["index.html"]; string(page.Body) != "v1 at /api-a" || page.Release != "v1" {
		t.Errorf("index.html is %q of %s", page.Body, page.Release)
	}

	if _, kept := site["assets/app-v0.js"]; !kept || site["v0.html"].Path != "" {
		t.Error("old assets stay for open tabs, old entry pages don't")
	}

	if c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A)); !c.InSync || c.Release != "v1" ||
		c.Environment != sm.A {
		t.Errorf("a has the state %+v", c)
	}

	if first := w.writes[2]; first != "ledger ledger/environments/a.json" {
		t.Errorf("wrote %q before it marked a out of sync", first)
	}

	order(t, w.writes, "point a", "put a assets/", "put a index.html", "delete a v0.html",
		"stage a a v1", "announce")
}

// Of an environment that is in sync already, only the stage is written.
func TestSync_InSyncAlready(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Expand)
	must[sm.Document](t)(w.run(sm.Sync, doc))

	for _, write := range w.writes {
		if strings.HasPrefix(write, "point") || strings.HasPrefix(write, "put") ||
			strings.HasPrefix(write, "delete") {
			t.Errorf("wrote %q", write)
		}
	}
}

func TestDeploy_Order(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Deploy)
	must[sm.Document](t)(w.run(sm.Deploy, doc))
	order(t, w.writes, "publish", "point a", "put a assets/", "put a index.html", "delete a",
		"stage a a v2", "announce")

	if c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A)); !c.InSync || c.Release != "v2" ||
		c.Sequence != 2 || c.Functions["orders"].Release != "v2" || c.Site.Release != "v2" {
		t.Errorf("a has the state %+v", c)
	}

	if got := string(w.sites[sm.A]["index.html"].Body); got != "v2 at /api-a" {
		t.Errorf("index.html is %q", got)
	}
}

func TestDeploy_OfSomeLayers(t *testing.T) {
	w := newWorld(t)
	w.upload("v2", 2, func(m *sm.Manifest) { m.Site = nil; delete(m.Functions, "catalog") })
	doc := w.release(sm.Probe)

	c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A))
	if w.aliases["catalog a"] != "1" || c.Site.Release != "v1" || c.Release != "v2" ||
		doc.Release != "v2" {
		t.Errorf("aliases %v; a has the state %+v", w.aliases, c)
	}
	// The pages are those of v1, under the name of v2; the assets keep theirs.
	if page, asset := w.sites[sm.A]["index.html"], w.sites[sm.A]["assets/app-v1.js"]; page.Release != "v2" || asset.Release != "v1" {
		t.Errorf("index.html is stamped %s, the asset %s", page.Release, asset.Release)
	}
}

func TestDeploy_PublishFails_BeforeAnyAliasMoves(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Deploy)
	delete(w.bundles, "releases/v2/orders.zip")
	_, err := w.run(sm.Deploy, doc)
	named(t, err, sm.DeployFailed, "deploy v2 to a", "orders.zip: no such object")

	for _, write := range w.writes {
		if into(write, sm.A) {
			t.Errorf("wrote %q", write)
		}
	}

	if c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A)); c.InSync {
		t.Error("a half-written environment is said to be in sync")
	}
}

func TestRollback_Order(t *testing.T) {
	for _, at := range []sm.Task{sm.CheckAlarms, sm.Contract} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			doc := w.release(at)
			doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: "errors-a"}
			doc = must[sm.Document](t)(w.run(sm.Rollback, doc))
			order(t, w.writes, "route a 0", "stage a b v1", "put a index.html", "delete a v2.html",
				"roles a", "point a", "put a assets/", "stage a a v1")

			if doc.Outcome != sm.RolledBack || doc.WaitSeconds != 90 || at == sm.CheckAlarms &&
				len(w.schedules) > 0 {
				t.Errorf("found %+v, schedules %v", doc, w.schedules)
			}

			if r := w.record("v2"); r.Wait != nil || r.Promoted != nil || r.Weight != 0 ||
				r.Cause.Text != "errors-a" {
				t.Errorf("found the record %+v", r)
			}
		})
	}
}

// Nothing blocks a rollback: who should hear of it hears of it later.
func TestRollback_WithoutABus(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.CheckAlarms)
	w.announce = errors.New("the bus is down")

	_, err := w.run(sm.Rollback, doc)
	if err == nil || w.route.Weight != 0 || w.aliases["catalog a"] != "1" || w.stages[sm.A] != "a v1" {
		t.Errorf("%v; the weight is %d, the aliases are %v", err, w.route.Weight, w.aliases)
	}

	w.announce = nil
	must[sm.Document](t)(w.run(sm.Rollback, doc))
}

// A first release that is rolled back leaves what it found: the next is made of its own layers
// alone.
func TestRollback_OfTheFirst(t *testing.T) {
	w := newWorld(t)
	w.store(sm.EnvironmentKey(sm.A), sm.EnvironmentState{Environment: sm.A})
	w.store(sm.EnvironmentKey(sm.B), sm.EnvironmentState{Environment: sm.B})
	w.aliases["catalog a"], w.aliases["orders a"] = "1", "1"
	w.sites[sm.A] = map[string]release.Page{}
	doc := w.release(sm.Probe)
	doc.Failure = &sm.Failure{Error: sm.ProbeFailed, Cause: "500"}
	must[sm.Document](t)(w.run(sm.Rollback, doc))

	if w.aliases["catalog a"] != "1" || w.sites[sm.A]["index.html"].Path != "" ||
		w.stages[sm.A] != "a " {
		t.Errorf("aliases %v, stages %v, site %v", w.aliases, w.stages, w.sites[sm.A])
	}

	must[sm.Document](t)(w.run(sm.Finish, sm.Document{Execution: two, Release: "v2", Fence: doc.Fence,
		Outcome: sm.RolledBack}))

	w.upload("v3", 3, func(m *sm.Manifest) { m.Site = nil; delete(m.Functions, "catalog") })
	must[sm.Document](t)(w.begin("arn:exec:v3", "third", `{"release":"v3"}`))

	doc = w.answered("third")
	for _, task := range []sm.Task{sm.Sync, sm.Deploy} {
		doc = must[sm.Document](t)(w.run(task, doc))
	}

	if c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A)); c.Site != nil ||
		len(c.Functions) != 1 || w.aliases["catalog a"] != "1" {
		t.Errorf("a has the state %+v, aliases %v", c, w.aliases)
	}
}

// Where the fallback has no site, a release that brought one must not leave its pages behind.
func TestRollback_OfTheFirstSite(t *testing.T) {
	w := newWorld(t)
	for _, e := range sm.Environments() {
		c := read[sm.EnvironmentState](w, sm.EnvironmentKey(e))
		c.Site = nil
		w.store(sm.EnvironmentKey(e), c)
		w.sites[e] = map[string]release.Page{}
	}

	doc := w.release(sm.CheckAlarms)
	doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: "errors-a"}
	must[sm.Document](t)(w.run(sm.Rollback, doc))

	if _, kept := w.sites[sm.A]["assets/app-v2.js"]; !kept || w.sites[sm.A]["index.html"].Path != "" {
		t.Errorf("a has the site %v", w.sites[sm.A])
	}

	if c := read[sm.EnvironmentState](w, sm.EnvironmentKey(sm.A)); c.Site != nil || c.Release != "v1" {
		t.Errorf("a has the state %+v", c)
	}
}

func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		spoil  func(*world)
		says   string
	}{
		"another status": {status: 500, body: "oops",
			says: "probes[0] of v2: GET https://shop/api-a/catalog: found status 500, expected 200: oops"},
		"another body": {status: 200, body: "{}", says: `found "{}", expected it to contain "price"`},
		"another page": {status: 200, body: "price",
			says:  `index.html in a: found the release "v1", expected "v2"`,
			spoil: func(w *world) { w.sites[sm.A]["index.html"] = release.Page{Release: "v1"} }},
		"no page": {status: 200, body: "price", says: "does site/ hold an index.html?",
			spoil: func(w *world) { delete(w.sites[sm.A], "index.html") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(sm.Probe)
				calls := 0

				w.answerHTTP = func(string) (int, string) { calls++; return c.status, c.body }
				if c.spoil != nil {
					c.spoil(w)
				}

				_, err := w.run(sm.Probe, doc)
				named(t, err, sm.ProbeFailed, c.says)

				if c.spoil == nil && calls != step.ProbeTries {
					t.Errorf("tried %d times", calls)
				}
			})
		})
	}
}

func TestProbe_TriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Probe)
		calls := 0
		w.answerHTTP = func(string) (int, string) {
			if calls++; calls < step.ProbeTries {
				return 503, "starting"
			}

			return 200, "price"
		}
		must[sm.Document](t)(w.run(sm.Probe, doc))
	})
}
