package main

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// p99Limit and 1 % of failed calls are the limits of Flagger's documentation.
// https://docs.flagger.app/usage/metrics
const p99Limit = 500 * time.Millisecond

const (
	tick    = 10 * time.Second
	horizon = 3 * time.Hour // by then, somebody has noticed a fault that no policy did
	// latest is the time after its end until which a minute's counts can be read. So an alarm lags by
	// one to three minutes.
	latest = 2 * time.Minute
)

// calls are the counts of an environment in a minute.
type calls struct {
	requests, errors, slow float64
	over                   float64 // how many took longer than p99Limit
}

func (c *calls) add(d calls) {
	c.requests += d.requests
	c.errors += d.errors
	c.slow += d.slow
	c.over += d.over
}

// minute has the counts of one minute, and when they can be read.
type minute struct {
	began, published time.Duration
	active, fallback calls
	from, to         float64 // active's share at its begin and at its end
}

// world is the traffic of one release, as a policy sees it.
type world struct {
	rate   float64 // calls per second
	fault  fault
	random *rand.Rand

	now     time.Duration // since the release began
	minutes []minute
	harmed  float64
	begun   bool          // whether the fault shows
	since   time.Duration // since when it does

	before, after float64       // active's share before and after the latest move
	moved, takes  time.Duration // when that began, and how long it takes
}

func newWorld(rate float64, f fault, seed uint64) *world {
	return &world{rate: rate, fault: f, random: rand.New(rand.NewPCG(seed, uint64(rate)))}
}

// share is active's share of the traffic, 0 to 1.
func (w *world) share() float64 {
	if passed := w.now - w.moved; passed < w.takes {
		return w.before + (w.after-w.before)*float64(passed)/float64(w.takes)
	}

	return w.after
}

// move changes active's share, at a constant pace over some time.
func (w *world) move(share float64, takes time.Duration) {
	w.before, w.after, w.moved, w.takes = w.share(), share, w.now, takes
}

// upTo is a random time from 0 to most.
func (w *world) upTo(most time.Duration) time.Duration {
	return time.Duration(w.random.Float64() * float64(most))
}

// published are the minutes whose counts can be read by now.
func (w *world) published() []minute {
	list := make([]minute, 0, len(w.minutes))
	for _, m := range w.minutes {
		if m.published <= w.now {
			list = append(list, m)
		}
	}

	return list
}

// pass simulates a tick.
func (w *world) pass() {
	if w.now%time.Minute == 0 {
		published := w.now + time.Minute + w.upTo(latest)
		w.minutes = append(w.minutes, minute{began: w.now, published: published, from: w.share()})
	}

	m, share, all := &w.minutes[len(w.minutes)-1], w.share(), w.rate*tick.Seconds()

	failing, slower := w.fault.harm(w.now, share)
	if !w.begun && share > 0 && failing+slower > 0 {
		w.begun, w.since = true, w.now
	}

	active, harmed := w.serve(all*share, failing, max(1, w.fault.times))
	fallback, _ := w.serve(all*(1-share), 0, 1)

	m.active.add(active)
	m.fallback.add(fallback)

	w.harmed += harmed
	w.now += tick
	m.to = w.share()
}

// serve draws the calls of an environment. They arrive at random, so each kind of call is a Poisson
// process of its own. harmed is how many fail or are slow because of the release.
func (w *world) serve(requests, failing, times float64) (c calls, harmed float64) {
	usual := baseline
	if w.fault.outage != nil {
		usual += w.fault.outage(w.now)
	}

	failed, bad := w.poisson(requests*usual), w.poisson(requests*failing)
	answered := requests * max(0, 1-usual-failing)
	fast := w.poisson(answered * (1 - beyond(slowLimit, times)))
	slowAnyway, slower := w.poisson(answered*slow), w.poisson(answered*(beyond(slowLimit, times)-slow))
	over := w.poisson(answered * beyond(p99Limit, times))

	c = calls{failed + bad + fast + slowAnyway + slower, failed + bad, slowAnyway + slower, over}

	return c, bad + slower
}

func (w *world) poisson(mean float64) float64 {
	if mean <= 0 {
		return 0
	}

	return distuv.Poisson{Lambda: mean, Src: w.random}.Rand()
}

// unwatched adds the harm until somebody notices, once the policy has ended. It adds the mean:
// nothing depends on the draw any more.
func (w *world) unwatched() {
	for ; w.now < horizon; w.now += time.Minute {
		failing, slower := w.fault.harm(w.now, w.share())
		w.harmed += w.rate * time.Minute.Seconds() * w.share() * (failing + (1-baseline-failing)*slower)
	}
}
