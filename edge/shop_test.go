package edge_test

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"lockstep/infra/local/shop"
	"lockstep/statemachine"
)

// sell replaces the test's page by the site of the sample shop.
func (d *deployed) sell(t *testing.T) {
	sites := map[string]map[string][]byte{}

	for _, release := range []string{"v1", "v2"} {
		files, err := shop.Site(release)
		if err != nil {
			t.Fatal(err)
		}

		sites[release] = files
	}

	d.file = func(e statemachine.Environment, release, key string) (body, contentType string,
		found bool) {
		data, found := sites[release][key]
		if !found && e == "b" {
			data, found = sites["v1"][key]
		}

		contentType = map[string]string{".html": "text/html", ".js": "text/javascript",
			".css": "text/css", ".svg": "image/svg+xml"}[path.Ext(key)]

		return strings.NewReplacer(statemachine.PlaceholderRelease, release,
			statemachine.PlaceholderEnvironment, string(e),
			statemachine.PlaceholderAPI, "/"+e.Stage()).Replace(string(data)), contentType, found
	}
}

// A tab of the sample shop that is open during a promotion or a rollback shows that it is
// outdated, and has the new release after a reload.
func TestBrowser_ShopTellsATabThatItIsOutOfDate(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	d := twoReleases()
	d.sell(t)

	var console complaints
	console.listen(ctx)
	page := tab{t, ctx, "shop"}
	page.do(chromedp.EmulateViewport(1000, 700), log.Enable(), chromedp.Navigate(d.serve(t)),
		chromedp.WaitVisible("#products"))

	outdated := func(want string) {
		t.Helper()

		var shown string
		page.eval(`(async () => {
			document.dispatchEvent(new Event('visibilitychange'));
			await new Promise(r => setTimeout(r, 500));
			const note = document.getElementById('outdated');
			return note.hidden ? '' : note.textContent.trim();
		})()`, &shown)

		if !strings.Contains(shown, want) || (want == "") != (shown == "") {
			t.Errorf("the shop says %q, expected %q", shown, want)
		}
	}
	reload := func(want string) {
		t.Helper()

		var release string
		page.do(chromedp.Click("#reload"), chromedp.Sleep(500*time.Millisecond),
			chromedp.Text("#site-release", &release))

		if release != want {
			t.Errorf("reloaded, the shop is of %s, expected %s", release, want)
		}

		outdated("")
	}

	outdated("")
	d.change(func() { d.route.Active, d.route.Fallback = "a", "b" }) // v2 went up and was promoted
	outdated("the shop is at v2 now")
	page.picture("shop-promoted")
	reload("v2")
	d.change(func() {
		d.route.Active, d.route.Fallback = "b", "a"
		d.aliases["b"], d.entries["b"] = "a", "v1"
	})
	outdated("the shop is at v1 now")
	page.picture("shop-rolled-back")
	reload("v1")
	d.change(func() {
		d.route.Weight, d.entries["b"], d.aliases["b"] = statemachine.FullWeight, "v2",
			"b"
	})
	outdated("the shop is at v2 now")
	d.change(func() { d.route.Weight = 0 }) // what was told is taken back
	outdated("")
	console.check(t)
}

// Many sites have a service worker that handles all requests, including those for pages. The server
// then cannot tell that a page is a document.
func TestBrowser_ServiceWorker(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	d := twoReleases()
	d.worker = `self.addEventListener('install', () => self.skipWaiting());
		self.addEventListener('activate', e => e.waitUntil(clients.claim()));
		self.addEventListener('fetch', e => e.respondWith(fetch(e.request)));`

	var console complaints
	console.listen(ctx)
	page := tab{t, ctx, "behind a service worker"}
	page.do(log.Enable(), chromedp.Navigate(d.serve(t)))
	page.one()

	var controlled bool
	page.eval(`navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => new Promise(r => setTimeout(r, 300))).then(() => !!navigator.serviceWorker.controller)`, &controlled)

	if !controlled {
		t.Fatal("the service worker is not at work")
	}

	for _, step := range []struct {
		weight int
		want   string
	}{{0, "v1"}, {statemachine.FullWeight, "v2"}, {0, "v1"}} {
		d.change(func() { d.route.Weight = step.weight })
		page.do(chromedp.Reload())

		if got := page.one(); got != step.want {
			t.Errorf("at weight %d a reload through a service worker gives %s, expected %s", step.weight,
				got, step.want)
		}
	}

	console.check(t)
}
