package main

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// rates are the calls per second of the application.
var rates = []float64{500, 20, 1}

// outcome is the outcome of one release.
type outcome struct {
	harmed     float64 // calls
	rolledBack bool
	early      bool          // it was rolled back before the fault showed
	safe       time.Duration // from when the fault showed until the rollback
	took       time.Duration // until active had all viewers
}

// play simulates one release.
func play(p policy, w *world) outcome {
	var o outcome

	for w.now < horizon {
		state := p.act(w)
		if state == rolledBack {
			o.rolledBack, o.early, o.safe = true, !w.begun, w.now-w.since
			break
		}

		if state != going && o.took == 0 {
			o.took = w.now
		}

		if state == left {
			w.unwatched()
			break
		}

		w.pass()
	}

	o.harmed = w.harmed

	return o
}

// measured is the outcome of many releases with one fault, at one rate, under one policy.
type measured struct {
	policy string
	fault  fault
	rate   float64

	harmed                   []float64 // sorted, without the releases that were rolled back early
	rolledBack, early, total int
	safe, took               []time.Duration // sorted
}

func (m measured) mean() float64 {
	sum := 0.0
	for _, h := range m.harmed {
		sum += h
	}

	return sum / float64(max(1, len(m.harmed)))
}

// missed is the share of bad releases that were not rolled back.
func (m measured) missed() float64 {
	return float64(m.total-m.rolledBack) / float64(m.total)
}

// falsely is the share of releases that were rolled back before any fault showed.
func (m measured) falsely() float64 { return float64(m.early) / float64(m.total) }

// quantile is a quantile of a sorted list; the zero value for an empty one.
func quantile[T any](list []T, q float64) (t T) {
	if len(list) == 0 {
		return t
	}

	return list[min(len(list)-1, int(q*float64(len(list))))]
}

// measure simulates every fault at every rate under every policy, each with the same seeds.
func measure(policies []newPolicy, seeds int) []measured {
	var all []measured

	for _, rate := range rates {
		for _, f := range faults {
			for _, p := range policies {
				all = append(all, measured{policy: p(rate).name(), fault: f, rate: rate, total: seeds})
			}
		}
	}

	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))

	for i := range all {
		group.Go(func() error {
			all[i].play(policies[i%len(policies)], seeds)
			return nil
		})
	}

	_ = group.Wait() // none fails

	return all
}

func (m *measured) play(p newPolicy, seeds int) {
	for seed := range seeds {
		o := play(p(m.rate), newWorld(m.rate, m.fault, uint64(seed)))
		if o.rolledBack {
			m.rolledBack++
		}

		switch {
		case o.early:
			m.early++
			continue
		case o.rolledBack:
			m.safe = append(m.safe, o.safe)
		default:
			m.took = append(m.took, o.took)
		}

		m.harmed = append(m.harmed, o.harmed)
	}

	slices.Sort(m.harmed)
	slices.Sort(m.safe)
	slices.Sort(m.took)
}
