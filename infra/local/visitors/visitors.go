// Package visitors is the shop's public: simulated viewers with cookies who open a page, load its
// assets and call the API it names, again and again, and compare the release that each layer
// stamped. What they see is the proof that nobody gets layers of two releases.
package visitors

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"
)

// Options say who visits, how often, and how to read what they see.
type Options struct {
	// Origin is the site, without a path. The router's cookie is Secure, so it begins with https://.
	Origin    string
	Transport http.RoundTripper

	Viewers            int     // 300 where not given
	PageViewsPerSecond float64 // of all viewers together; 60 where not given
	// Newcomers is the share of views that begin without a cookie; 0.02 where not given.
	Newcomers float64
	// Orders is the share of views in which something is bought; 0.2 where not given.
	Orders float64
	// Pause is the longest that a viewer waits between two requests of a view; 50 ms where not given.
	Pause time.Duration
	Seed  uint64

	// RolledBack tells whether a rollback of the release was under way at any time from opened to
	// closed.
	RolledBack func(release string, opened, closed time.Time) bool
	// Bad tells whether a release is known to have an API that fails.
	Bad func(release string) bool
	// Built is the release whose build a layer of a release is: "site", the "assets" in it, or the
	// function's path below the API, as "catalog". Where not given each layer is the release's own, as
	// in one that changes them all.
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
	// odd are the views whose layers differ: what became of them is known only when the report is
	// asked for, since the news of a rollback may come after them.
	odd []View
}

// New gathers the viewers; Run sends them.
func New(options Options) *Crowd {
	return &Crowd{options: options.withDefaults(), report: Report{Releases: map[string]Counts{}}}
}

// Run lets the viewers come and go until the context ends.
func (c *Crowd) Run(ctx context.Context) {
	var all sync.WaitGroup
	for n := range c.options.Viewers {
		all.Go(func() { c.live(ctx, n) })
	}

	all.Wait()
}

// viewer is one of them; each has its own dice, so that a seed gives the same lives.
type viewer struct {
	crowd  *Crowd
	number int
	dice   *rand.Rand
	client *http.Client
}

// live is a viewer's time: a view, a while, a view.
func (c *Crowd) live(ctx context.Context, number int) {
	v := &viewer{crowd: c, number: number, dice: rand.New(rand.NewPCG(c.options.Seed, uint64(number)))}
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
			next = now // whoever had to wait for a slow page does not make up for it
		}
	}
}

// forget makes a new viewer of this one.
func (v *viewer) forget() {
	jar, _ := cookiejar.New(nil) // never fails
	v.client = &http.Client{Transport: v.crowd.options.Transport, Jar: jar}
}

// upTo is a random while.
func (v *viewer) upTo(longest time.Duration) time.Duration {
	return time.Duration(v.dice.Float64() * float64(longest))
}

// sleep tells whether the context lets a viewer go on.
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
