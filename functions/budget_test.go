package functions_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// byBudget lets the ramp go by the budget that cdk.json has where it says nothing.
func byBudget(o *stack.Options) {
	o.Ramp = sm.RampPlan{HarmBudget: 50, Within: sm.Duration(time.Hour), MinimumRequests: 20,
		MaxExtensions: 6, OnInconclusive: sm.Hold}
	o.Alarms.Errors, o.Alarms.MinimumRequests = 5, 20
}

// flow is calls by the second, as the route divides them, in the metrics alone: so many could not
// be played one by one.
type flow struct {
	perSecond atomic.Int64
	failing   atomic.Int64 // active's, in a hundred
	harmed    atomic.Int64
}

// flows writes the metrics of calls, of which one in a thousand fails anyway.
func (w *world) flows(perSecond int64) *flow {
	const tick = 10 * time.Second

	f := &flow{}
	f.perSecond.Store(perSecond)

	ctx, cancel := context.WithCancel(context.Background())

	gone := make(chan struct{})
	go func() {
		defer close(gone)

		for {
			r, all := w.route(), float64(f.perSecond.Load())*tick.Seconds()
			share := float64(r.Weight) / sm.FullWeight
			active, fallback := all*share, all*(1-share)
			bad := active * float64(f.failing.Load()) / 100
			f.harmed.Add(int64(bad))

			for e, calls := range map[sm.Environment]float64{r.Active: active, r.Fallback: fallback} {
				if calls > 0 {
					failed := calls / 1000
					if e == r.Active {
						failed += bad
					}

					w.measure(e, "Count", calls)
					w.measure(e, "5XXError", failed)
				}
			}

			select {
			case <-ctx.Done():
				return
			case <-time.After(tick):
			}
		}
	}()

	w.leave = sync.OnceFunc(func() { cancel(); <-gone })

	return f
}

// flowing is live with so many calls for an hour.
func (w *world) flowing(perSecond int64) *flow {
	w.t.Helper()
	w.merge(w.release("v1", 1, everything))
	w.ends("v1", sm.Released)
	f := w.flows(perSecond)

	time.Sleep(time.Hour)

	return f
}

// grew checks that a ramp never fell, from a first weight or a little more, and tells how long it
// took from its first viewers to the promotion.
func (w *world) grew(release string, first int) time.Duration {
	w.t.Helper()

	var (
		weights         []int
		began, promoted time.Time
	)

	for _, entry := range w.record(release).Events {
		switch {
		case entry.State == sm.Ramp:
			weights = append(weights, *entry.Weight)
			if began.IsZero() {
				began = entry.At
			}
		case entry.State == sm.Promote:
			promoted = entry.At
		}
	}

	if len(weights) == 0 || weights[0] < first || weights[0] > first*11/10 ||
		!slices.IsSorted(weights) {
		w.t.Errorf("%s had the weights %v, expected them to grow from %d\n%s", release, weights, first,
			w.story())
	}

	return promoted.Sub(began)
}

func TestBudget_GoodRelease_IsOverWithinTheHour(t *testing.T) {
	story(t, func(w *world) {
		w.flowing(500)
		w.second()
		w.endsWithin(3*time.Hour, "v2", sm.Released)

		if took := w.grew("v2", 4); took > time.Hour || took < 30*time.Minute {
			t.Errorf("it took %s\n%s", took, w.story())
		}

		if said := w.record("v2").Events; !slices.ContainsFunc(said, func(e sm.Event) bool {
			return strings.Contains(
				e.Text, "harm budget of 50 at 500 calls a second: first 0.04 %; a good release takes about 5")
		}) {
			t.Errorf("before it began it did not say how long it would take:\n%s", w.story())
		}

		w.stands("b", "v1", "v2")
	}, byBudget)
}

func TestBudget_BadRelease_HarmsNoMoreThanTheBudget(t *testing.T) {
	story(t, func(w *world) {
		f := w.flowing(500)
		f.failing.Store(100)
		w.second()
		w.ends("v2", sm.RolledBack)

		if harmed := f.harmed.Load(); harmed == 0 || harmed > 50 {
			t.Errorf("%d calls were harmed, expected at most the budget of 50\n%s", harmed, w.story())
		}

		w.stands("a", "v1", "v1")
	}, byBudget)
}

func TestBudget_SmallFault_IsFoundEarly(t *testing.T) {
	story(t, func(w *world) {
		f := w.flowing(500)
		f.failing.Store(5)
		w.second()
		w.ends("v2", sm.RolledBack)

		if weights := w.weights("v2"); slices.Max(weights) > 100 || f.harmed.Load() > 50 {
			t.Errorf("%d calls were harmed, the weights were %v\n%s", f.harmed.Load(), weights, w.story())
		}
	}, byBudget)
}

// At one call a second the budget alone would give the release a fifth of the viewers at once.
func TestBudget_LowTraffic_BeginsWithFew(t *testing.T) {
	story(t, func(w *world) {
		w.flowing(1)
		w.second()
		w.endsWithin(3*time.Hour, "v2", sm.Released)

		if took := w.grew("v2", 277); took > 65*time.Minute {
			t.Errorf("it took %s\n%s", took, w.story())
		}
	}, byBudget)
}

// Traffic that goes home for the night leaves the share where it was: those who come back in the
// morning would be too many.
func TestBudget_TrafficThatDrops_MovesNobody(t *testing.T) {
	story(t, func(w *world) {
		f := w.flowing(500)
		w.second()
		w.bakes("v2", 4)
		time.Sleep(15 * time.Minute)
		f.perSecond.Store(1)
		time.Sleep(5 * time.Minute)

		before := w.route().Weight

		time.Sleep(8 * time.Hour)

		if after := w.route().Weight; after > 2*before || after == 0 {
			t.Errorf("the weight went from %d to %d in a quiet night\n%s", before, after, w.story())
		}

		f.perSecond.Store(500)
		w.endsWithin(3*time.Hour, "v2", sm.Released)
		w.grew("v2", 4)
	}, byBudget)
}

func TestBudget_OperatorsWords(t *testing.T) {
	story(t, func(w *world) {
		w.flowing(500)
		w.second()
		w.bakes("v2", 4)
		w.operator(sm.SignalPause)
		time.Sleep(2 * time.Hour)

		if weight := w.route().Weight; weight != 4 {
			t.Errorf("paused, the weight became %d", weight)
		}

		w.operator(sm.SignalResume)
		time.Sleep(200 * time.Second) // in the middle of a look

		before := w.route().Weight
		w.operator(sm.SignalAdvance)
		time.Sleep(5 * time.Second)

		if after := w.route().Weight; after < 2*before {
			t.Errorf("advanced, the weight went from %d to %d", before, after)
		}

		w.operator(sm.SignalPromote)
		time.Sleep(5 * time.Second)
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	}, byBudget)
}

// Whoever dies between the decision and the route comes back when more calls were seen, and
// everything is frozen: what was decided is done, and no more.
func TestBudget_DiesBeforeTheRoute_SetsWhatWasDecided(t *testing.T) {
	story(t, func(w *world) {
		w.flowing(500)
		w.second()
		w.bakes("v2", 4)
		time.Sleep(20 * time.Minute)

		before, d := w.route().Weight, &doom{}
		d.left.Store(3) // that it was called, which step it is, and its weight
		w.mu.Lock()
		w.dooms[sm.Ramp] = func() *doom {
			if d.dead.Load() {
				return nil
			}

			w.befores[sm.Ramp] = func() { time.Sleep(2 * time.Minute) }

			return d
		}
		w.mu.Unlock()
		w.eventually("Ramp is killed", time.Hour, d.dead.Load)
		decided := w.record("v2").Weight
		w.freeze("holidays")
		time.Sleep(150 * time.Second)

		if got := w.route().Weight; got != decided || got <= before {
			t.Errorf("from %d it went to %d, decided was %d\n%s", before, got, decided, w.story())
		}

		w.freeze("off")
		w.endsWithin(3*time.Hour, "v2", sm.Released)
	}, byBudget)
}
