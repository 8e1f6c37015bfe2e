// Package visitors simulates the viewers of the shop. Each has cookies, opens the page again and
// again, loads its assets, calls its API, and compares the releases in the stamps of all layers.
// Their reports show whether any viewer got layers of two releases.
package visitors

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"
)

// Options say how many viewers there are, what they do, and which releases are expected to fail.
type Options struct {
	// Origin is the address of the site, without a path. It begins with https://, since the router's
	// cookie is Secure.
	Origin    string
	Transport http.RoundTripper

	Viewers            int     // the default is 300
	PageViewsPerSecond float64 // of all viewers together; the default is 60
	// Newcomers is the share of views that begin without a cookie. The default is 0.02.
	Newcomers float64
	// Orders is the share of views with an order. The default is 0.2.
	Orders float64
	// Pause is the longest pause between two requests of a view. The default is 50 ms.
	Pause time.Duration
	Seed  uint64

	// RolledBack tells whether a rollback of the release was under way at any time from opened to
	// closed.
	RolledBack func(release string, opened, closed time.Time) bool
	// Bad tells whether a release is known to have an API that fails.
	Bad func(release string) bool
	// Built returns the release for which a layer of a release was built, since a release may reuse a
	// layer of an earlier one. A layer is "site", "assets", or the path of a function below the API,
	// such as "catalog". By default each layer was built for the release itself.
	Built func(release, layer string) string
}

func (o Options) withDefaults() Options {
	if o.Viewers == 0 {
		o.Viewers = 300
	}

	if o.PageViewsPerSecond == 0 {
		o.PageViewsPerSecond = 60
	}

	if o.Newcomers == 0 {
		o.Newcomers = 0.02
	}

	if o.Orders == 0 {
		o.Orders = 0.2
	}

	if o.Pause == 0 {
		o.Pause = 50 * time.Millisecond
	}

	if o.RolledBack == nil {
		o.RolledBack = func(string, time.Time, time.Time) bool { return false }
	}

	if o.Bad == nil {
		o.Bad = func(string) bool { return false }
	}

	if o.Built == nil {
		o.Built = func(release, _ string) string { return release }
	}

	return o
}

// Crowd is all the viewers.
type Crowd struct {
	options Options

	mu     sync.Mutex
	report Report
	// odd are the views whose layers differ. They are judged when the report is made, since a rollback
	// may become known only after them.
	odd []View
}

// New makes the viewers. Run starts them.
func New(options Options) *Crowd {
	return &Crowd{options: options.withDefaults(), report: Report{Releases: map[string]Counts{}}}
}

// Run runs all viewers until the context ends.
func (c *Crowd) Run(ctx context.Context) {
	var all sync.WaitGroup
	for n := range c.options.Viewers {
		all.Go(func() { c.live(ctx, n) })
	}

	all.Wait()
}

// viewer is one viewer. Each has its own random source, so that a seed always gives the same views.
type viewer struct {
	crowd  *Crowd
	number int
	dice   *rand.Rand
	client *http.Client
}

// live runs one viewer: views with pauses between them.
func (c *Crowd) live(ctx context.Context, number int) {
	dice := rand.New(rand.NewPCG(c.options.Seed, uint64(number)))
	v := &viewer{crowd: c, number: number, dice: dice}
	v.forget()

	between := time.Duration(
		float64(c.options.Viewers) / c.options.PageViewsPerSecond * float64(time.Second))

	next := time.Now().Add(v.upTo(between))
	for sleep(ctx, time.Until(next)) {
		if v.dice.Float64() < c.options.Newcomers {
			v.forget()
		}

		v.visit(ctx)

		next = next.Add(between/2 + v.upTo(between))
		if now := time.Now(); next.Before(now) {
			next = now // a viewer does not catch up after a slow page
		}
	}
}

// forget drops the cookies: the viewer is a new one.
func (v *viewer) forget() {
	jar, _ := cookiejar.New(nil) // never fails
	v.client = &http.Client{Transport: v.crowd.options.Transport, Jar: jar}
}

// upTo is a random duration up to longest.
func (v *viewer) upTo(longest time.Duration) time.Duration {
	return time.Duration(v.dice.Float64() * float64(longest))
}

// sleep waits. It returns false if the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
