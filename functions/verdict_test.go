package functions_test

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// fares is how the calls of an environment go.
type fares struct {
	failing float64 // share of the calls
	latency float64 // milliseconds, in the middle
	orders  float64 // share of the calls
}

var well = fares{failing: 0.001, latency: 100, orders: 0.05}

// without alarms it is the comparison that has to notice.
func comparing(o *stack.Options) {
	o.Alarms.Errors, o.Alarms.Latency = 100, sm.Duration(time.Hour)
	o.Metrics = []sm.Metric{{Name: "orders", Better: sm.Higher, Tolerance: 10, Events: sm.Series{
		Namespace: "Shop", Metric: "Orders", Stat: "Sum", Dimensions: map[string]string{"Stage": "{stage}"}}}}

	o.Ramp.MinimumRequests = 20
	for i := range o.Ramp.Steps {
		o.Ramp.Steps[i].Bake = minutes(10)
	}

	o.Drain = sm.DrainPlan{Quiet: minutes(30), AtMost: minutes(60)}
}

// served writes the metrics of sixty calls a second, as the environments fare from now on.
func (w *world) served(how func(e sm.Environment) fares) {
	const perSecond, each = 60, 20 * time.Second

	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	random := rand.New(rand.NewPCG(5, 6))

	go func() {
		defer close(gone)

		for {
			route := w.route()
			share := float64(route.Weight) / sm.FullWeight
			w.count(random, route.Active, how(route.Active), int(perSecond*share*each.Seconds()))
			w.count(random, route.Fallback, how(route.Fallback), int(perSecond*(1-share)*each.Seconds()))

			select {
			case <-ctx.Done():
				return
			case <-time.After(each):
			}
		}
	}()

	w.leave = sync.OnceFunc(func() { cancel(); <-gone })
}

func (w *world) count(random *rand.Rand, e sm.Environment, f fares, calls int) {
	failed, orders := 0.0, 0.0

	for range calls {
		if random.Float64() < f.failing {
			failed++
		}

		if random.Float64() < f.orders {
			orders++
		}

		w.measure(e, "Latency", f.latency*math.Exp(0.5*random.NormFloat64()))
	}

	if calls > 0 {
		w.measure(e, "Count", float64(calls))
		w.measure(e, "5XXError", failed)
		w.stack.Cloud.Metrics.Put("Shop", "Orders", map[string]string{"Stage": e.Stage()}, orders,
			"Count")
	}
}

func TestVerdict_OfReleasesThatNoAlarmRingsFor(t *testing.T) {
	for name, c := range map[string]struct {
		b, a  fares // v2's and v1's
		way   string
		cause string
	}{
		"one more call in a hundred fails": {fares{0.011, 100, 0.05}, well, deployed + baked +
			strings.TrimSpace(undone), `^\d+ of \S+ calls failed, against \d+ of \S+ in the fallback: e-value \S+, threshold 750`},
		"three times as slow": {fares{0.001, 300, 0.05}, well, deployed + baked +
			strings.TrimSpace(undone), `calls took longer than \S+ ms, against \S+ of \S+ in the fallback`},
		"a fifth slower": {fares{0.001, 120, 0.05}, well, deployed + baked + baked +
			strings.TrimSpace(undone), `calls took longer than \S+ ms, against \S+ of \S+ in the fallback`},
		"nobody can order": {fares{0.001, 100, 0}, well, deployed + baked +
			strings.TrimSpace(undone), `^0 orders in \S+ calls, against \S+ of \S+ in the fallback`},
		"as good as the other": {well, well, deployed + baked + baked + baked + ended, ""},
		"an outage of both": {fares{0.5, 300, 0.01}, fares{0.5, 300, 0.01}, deployed +
			baked + baked + baked + ended, ""},
		"better than the other": {well, fares{0.011, 300, 0.02}, deployed + baked + baked +
			baked + ended, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, func(w *world) {
				w.merge(w.release("v1", 1, everything))
				w.ends("v1", sm.Released)
				w.served(func(e sm.Environment) fares {
					if e == sm.B {
						return c.b
					}

					return c.a
				})
				time.Sleep(10 * time.Minute)
				w.second()

				outcome := sm.Released
				if c.cause != "" {
					outcome = sm.RolledBack
				}

				w.ends("v2", outcome)
				w.took("v2", c.way)

				if cause := w.record("v2").Cause.Text; !regexp.MustCompile(c.cause).MatchString(cause) {
					t.Errorf("the cause is %q, expected %s", cause, c.cause)
				}
			}, comparing)
		})
	}
}

// A fault that begins when everyone has the release is found by what the fallback's calls had been
// like.
func TestVerdict_FaultAfterThePromotion(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)

		var later sync.Map

		w.served(func(e sm.Environment) fares {
			if _, begun := later.Load(e); begun {
				return fares{0.02, 100, 0.05}
			}

			return well
		})
		time.Sleep(10 * time.Minute)
		w.second()
		w.reaches("OldTabsOpen")
		time.Sleep(10 * time.Minute)
		later.Store(sm.B, true)
		w.ends("v2", sm.RolledBack)
		w.took("v2", deployed+baked+baked+baked+"Promote Drain"+undone)
		w.stands("a", "v1", "v1")

		if cause := w.record("v2").Cause.Text; !strings.Contains(cause, "in the baseline") {
			t.Errorf("the cause is %q", cause)
		}
	}, comparing)
}

// Nothing was measured but the probe's own call, so nothing is known: the ramp holds for the
// operator.
func TestVerdict_NoData_Holds(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.second()
		time.Sleep(time.Hour)

		r := w.record("v2")
		if r.Wait == nil || r.Wait.Paused == nil || r.Weight != 500 ||
			!strings.Contains(w.story(), "inconclusive at 5 %: 1 calls were measured, 20 are needed") {
			t.Fatalf("%s", w.story())
		}

		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.took("v2", deployed+baked+baked+baked+"Ramp"+undone)
	}, comparing)
}
