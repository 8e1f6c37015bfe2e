package main

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	tick    = 10 * time.Second
	horizon = 3 * time.Hour // by then somebody has noticed what no policy did
	// A minute is counted when it is over, and its counts can be read up to two minutes later: an
	// alarm lags one to three.
	latest = 2 * time.Minute
)

// calls are what a minute of an environment counts.
type calls struct {
	requests, errors, slow float64
	over                   float64 // those that took more than 500 ms
}

func (c *calls) add(d calls) {
	c.requests += d.requests
	c.errors += d.errors
	c.slow += d.slow
	c.over += d.over
}

// minute is what was counted in one minute, and when that can be read.
type minute struct {
	began, published time.Duration
	active, fallback calls
	from, to         float64 // active's share when it began and when it ended
}

// world is the traffic of one release, as a policy meets it.
type world struct {
	rate   float64 // calls per second
	fault  fault
	random *rand.Rand

	now     time.Duration // since the release began
	minutes []minute
	harmed  float64
	begun   bool          // the fault shows
	since   time.Duration // since when

	before, after float64 // the shares between which traffic moves
	moved, takes  time.Duration
}

func newWorld(rate float64, f fault, seed uint64) *world {
	return &world{rate: rate, fault: f, random: rand.New(rand.NewPCG(seed, uint64(rate)))}
}

// share is how much of the traffic active has.
func (w *world) share() float64 {
	if passed := w.now - w.moved; passed < w.takes {
		return w.before + (w.after-w.before)*float64(passed)/float64(w.takes)
	}

	return w.after
}

// move gives active a share, bit by bit within some time.
func (w *world) move(share float64, takes time.Duration) {
	w.before, w.after, w.moved, w.takes = w.share(), share, w.now, takes
}

// upTo is a time up to so long, at random.
func (w *world) upTo(most time.Duration) time.Duration {
	return time.Duration(w.random.Float64() * float64(most))
}

// published are the minutes that can be read by now.
func (w *world) published() []minute {
	list := make([]minute, 0, len(w.minutes))
	for _, m := range w.minutes {
		if m.published <= w.now {
			list = append(list, m)
		}
	}

	return list
}

// pass lets a tick go by.
func (w *world) pass() {
	if w.now%time.Minute == 0 {
		w.minutes = append(w.minutes, minute{began: w.now, published: w.now + time.Minute +
			w.upTo(latest), from: w.share()})
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

// serve draws the calls of an environment: arrivals at random, so that each kind of call is a
// Poisson process of its own.
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

	return calls{failed + bad + fast + slowAnyway + slower, failed + bad, slowAnyway + slower,
		over}, bad + slower
}

func (w *world) poisson(mean float64) float64 {
	if mean <= 0 {
		return 0
	}

	return distuv.Poisson{Lambda: mean, Src: w.random}.Rand()
}

// unwatched adds what is harmed until somebody notices, once no policy watches: the mean, since
// nothing depends on it.
func (w *world) unwatched() {
	for ; w.now < horizon; w.now += time.Minute {
		failing, slower := w.fault.harm(w.now, w.share())
		w.harmed += w.rate * time.Minute.Seconds() * w.share() * (failing + (1-baseline-failing)*slower)
	}
}
