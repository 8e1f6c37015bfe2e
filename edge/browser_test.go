package edge_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lockstep/infra/local/front"
	"lockstep/statemachine"
)

//go:embed testdata/page.html
var pageHTML string

//go:embed testdata/page.js
var pageScript string

// deployed is the state of the layers, which a test changes as Lockstep would: v1 on a, v2 on b.
type deployed struct {
	mu      sync.Mutex
	route   statemachine.Route
	entries map[statemachine.Environment]string
	aliases map[statemachine.Environment]string
	// worker is /sw.js. file reads a file of a release, for another site than the test's page.
	worker string
	file   func(e statemachine.Environment, release, key string) (body, contentType string, found bool)
}

// twoReleases are v1 on a, which everyone has, and v2 on b.
func twoReleases() *deployed {
	return &deployed{
		route:   statemachine.Route{Active: "b", Fallback: "a", Release: "v2"},
		entries: map[statemachine.Environment]string{"a": "v1", "b": "v2"},
		aliases: map[statemachine.Environment]string{"a": "a", "b": "b"},
	}
}

func (d *deployed) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()

	f()
}

var assetName = regexp.MustCompile(`^assets/(app|style|part-\d+)\.(v[12])\.(js|css)$`)

func (d *deployed) object(e statemachine.Environment, key string) (front.Object, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()

	release, body, contentType, cache := d.entries[e], pageHTML, "text/html", "no-cache"
	switch {
	case d.file != nil:
		var found bool
		if body, contentType, found = d.file(e, release, key); !found {
			return front.Object{}, false
		}
	case key == "sw.js" && d.worker != "":
		body, contentType = d.worker, "text/javascript"
	case key != "index.html":
		name := assetName.FindStringSubmatch(key)
		if name == nil || name[2] == "v2" && e == statemachine.A { // the fallback is never written
			return front.Object{}, false
		}

		release, contentType, cache = name[2], "text/javascript", "max-age=31536000, immutable"
		switch {
		case name[1] == "app":
			body = pageScript
		case name[1] == "style":
			body, contentType = ":root { --release: RELEASE; font: 20px sans-serif }", "text/css"
		default:
			body = "export const release = 'RELEASE';"
		}
	}

	if d.file == nil {
		body = strings.NewReplacer("RELEASE", release, "API", "/"+e.Stage()).Replace(body)
	}

	return front.Object{Body: []byte(body), ContentType: contentType, CacheControl: cache,
		ETag: fmt.Sprintf("%q", key+release),
		Metadata: map[string]string{statemachine.MetadataEnvironment: string(e),
			statemachine.MetadataRelease: release}}, true
}

// serve puts the local edge in front, at an address that browsers trust like https.
func (d *deployed) serve(t *testing.T) string {
	handler := front.New(front.Options{
		Locations: 1,
		Route: func(int, string) (string, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()

			value, err := json.Marshal(d.route)

			return string(value), err == nil
		},
		Object:    d.object,
		Functions: map[string]string{"/catalog": "shop-catalog", "/orders": "shop-orders"},
		Stage: func(e statemachine.Environment) (map[string]string, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()

			return map[string]string{"alias": d.aliases[e]}, true
		},
		Invoke: func(_ context.Context, _, function string, _ []byte) ([]byte, string, error) {
			release := map[string]string{"a": "v1", "b": "v2"}[function[strings.LastIndexByte(function, ':')+
				1:]]

			return fmt.Appendf(nil, `{"statusCode":200,"headers":{"x-lockstep-release":%q},"body":"{\"products\":[],\"orders\":[]}"}`, release), "", nil
		},
		Record: func(string, string, float64) {},
	})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// complaints are the errors in the browser's console.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) listen(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		text := ""

		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			text = e.ExceptionDetails.Error()
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				text = fmt.Sprint(e.Args)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				text = e.Entry.Text + " " + e.Entry.URL
			}
		}

		if text != "" {
			c.mu.Lock()
			defer c.mu.Unlock()

			c.all = append(c.all, text)
		}
	})
}

func (c *complaints) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()

	if len(c.all) > 0 {
		t.Errorf("the console has errors: %q", c.all)
	}
}

func browser(t *testing.T) context.Context {
	t.Helper()

	found := ""

	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}

	if found == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing: install the Debian package chromium, a real page is loaded in it")
		}

		t.Skip("chromium is missing: no real page is loaded through the edge")
	}

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found),
		chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)

	return newTab(t, ctx)
}

// newTab opens a tab, which is closed at the end of the test. Its context has no deadline, since
// chromedp would close the tab with it.
func newTab(t *testing.T, in context.Context) context.Context {
	t.Helper()

	ctx, cancel := chromedp.NewContext(in)
	t.Cleanup(cancel)

	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}

	return ctx
}

type told struct{ Release, Outdated string }

type tab struct {
	*testing.T
	ctx  context.Context
	name string
}

// do runs actions with a timeout for each, since their total time depends on the machine.
func (tab tab) do(actions ...chromedp.Action) {
	tab.Helper()

	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()

	if err := chromedp.Run(ctx, actions...); err != nil {
		tab.Fatalf("%s: %v", tab.name, err)
	}
}

func (tab tab) eval(expression string, result any) {
	tab.Helper()
	tab.do(chromedp.Evaluate(expression, result,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// one is the release of a view. It fails the test if the view is mixed.
func (tab tab) one() string {
	tab.Helper()

	var view struct{ Page, Script, Style, API string }
	tab.eval("window.view", &view)

	if view.Page == "" || view.Script != view.Page || view.Style != view.Page ||
		view.API != view.Page {
		tab.Fatalf("%s: a mixed view: %+v", tab.name, view)
	}

	return view.Page
}

// late loads a further part of the page and returns whether the router calls the tab outdated.
func (tab tab) late(part int, release string) string {
	tab.Helper()

	var got told
	tab.eval(fmt.Sprintf("late(%d)", part), &got)

	if got.Release != release {
		tab.Fatalf("%s: part %d is of %q, expected %s", tab.name, part, got.Release, release)
	}

	return got.Outdated
}

func (tab tab) ask() (answer told) {
	tab.Helper()
	tab.eval("ask()", &answer)

	return answer
}

// picture saves a screenshot to the folder in SCREENSHOTS, if it is set.
func (tab tab) picture(name string) {
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		var data []byte
		// a tab behind another draws nothing
		tab.do(page.BringToFront(), chromedp.CaptureScreenshot(&data))

		if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600); err != nil {
			tab.Fatal(err)
		}
	}
}

func TestBrowser_TwoHundredReloads(t *testing.T) {
	t.Parallel()
	first := browser(t)
	d := twoReleases()
	site := d.serve(t)

	var console complaints

	open := func(name string) tab {
		ctx := first
		if name != "reloaded" {
			ctx = newTab(t, first)
		}

		opened := tab{t, ctx, name}
		console.listen(ctx)
		opened.do(log.Enable(), chromedp.Navigate(site))

		return opened
	}

	reloaded := open("reloaded")
	seen := map[string]int{}
	reload := func(times int, want string) {
		t.Helper()

		for range times {
			reloaded.do(chromedp.Reload())

			release := reloaded.one()
			if seen[release]++; want != "" && release != want {
				t.Fatalf("after %d reloads: %s by %+v, expected %s", seen["v1"]+seen["v2"], release, d.route,
					want)
			}
		}
	}
	reload(20, "v1")

	old := open("opened at weight 0")
	if old.one() != "v1" || old.ask() != (told{Release: "v1"}) {
		t.Fatalf("a page that was just opened is out of date: %+v", old.ask())
	}

	for _, weight := range []int{100, 1000, 5000} {
		d.change(func() { d.route.Weight = weight })
		reload(20, "") // where this viewer stands is chance
	}

	d.change(func() { d.route.Weight = 10000 })

	if answer := reloaded.ask(); answer.Release != "v2" || reloaded.one() == "v1" &&
		answer.Outdated != "true" {
		t.Errorf("before it is reloaded the page is told %+v, expected v2", answer)
	}

	reload(20, "v2")
	reloaded.picture("ramped")
	d.change(func() { d.route.Active, d.route.Fallback, d.route.Weight = "a", "b", 0 })
	reload(40, "v2")
	old.late(1, "v1")

	if answer := old.ask(); answer.Release != "v2" {
		t.Errorf("after the promotion the tab from before is told %+v, expected v2", answer)
	}

	newer := open("opened after the promotion")
	newer.one()

	d.change(func() {
		d.route.Active, d.route.Fallback = "b", "a"
		d.aliases["b"], d.entries["b"] = "a", "v1"
	})

	if answer := newer.ask(); answer != (told{"v1", "true"}) {
		t.Errorf("after the rollback the tab with v2 is told %+v, expected v1 and out of date", answer)
	}

	reload(60, "v1")
	old.late(2, "v1")

	if outdated := newer.late(3, "v2"); outdated != "true" {
		t.Errorf("an asset of v2 from b has x-lockstep-outdated %q, expected true", outdated)
	}

	newer.picture("left-open")
	reloaded.picture("rolled-back")

	console.check(t)

	if seen["v1"]+seen["v2"] != 200 || seen["v2"] < 60 {
		t.Errorf("saw %v in the reloads, expected 200 of both", seen)
	}
}
