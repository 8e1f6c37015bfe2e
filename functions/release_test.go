package functions_test

import (
	"testing"
	"time"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// The ways that a release can go.
const (
	deployed = "Begin Sync Expand Deploy Probe "
	baked    = "Ramp CheckAlarms "
	ended    = "Promote Drain Contract Finish Released"
	good     = deployed + baked + baked + baked + ended
	undone   = " Rollback UndoExpand Finish RolledBack"
)

func TestRelease_TheFirst(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.viewersCome()

		w.took("v1", deployed+ended)
		w.weighed("v1", 0)
		w.stands("a", "v1", "")
	})
}

func TestRelease_ToTheEnd_AndTheNextToTheOther(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.merge(w.release("v2", 2, everything))
		w.ends("v2", sm.Released)

		w.took("v2", good)
		w.weighed("v2", 500, 2500, 10000, 0)
		w.stands("b", "v1", "v2")

		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)

		w.took("v3", good)
		w.weighed("v3", 500, 2500, 10000, 0)
		w.stands("a", "v3", "v2")
	})
}

func TestRelease_BreachAtFivePercent_RollsBack(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.breaks("v2", "orders")
		w.merge(w.release("v2", 2, everything))
		w.ends("v2", sm.RolledBack)

		w.took("v2", deployed+"Ramp"+undone)
		w.weighed("v2", 500, 0)
		w.stands("a", "v1", "v1")
	})
}

// The layers that a release does not bring are those that the viewers had.
func TestRelease_OfSomeLayers(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v54", 54, everything))
		w.ends("v54", sm.Released)
		w.viewersCome()
		w.merge(w.release("v55", 55, brings{functions: []string{"catalog", "orders"}}))
		w.ends("v55", sm.Released)
		w.stands("b", "v54", "v55")

		w.merge(w.release("v56", 56, brings{site: true}))
		w.ends("v56", sm.Released)

		w.took("v56", good)
		w.stands("a", "v56", "v55")

		if got := w.get("/api-a/orders", "").Header.Get("x-lockstep-release"); got != "v55" {
			t.Errorf("v56's viewers get the functions of %s, expected v55", got)
		}
	})
}

// Bakes of days cost nothing but the timer.
func TestRelease_RampOfAMonth(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.second()

		for _, weight := range []int{500, 2500, 10000} {
			w.bakes("v2", weight)
			w.measure("b", "Count", 10)
			time.Sleep(10*24*time.Hour - 10*time.Second)
		}

		w.ends("v2", sm.Released)

		w.took("v2", good)
		w.stands("b", "v1", "v2")

		if r := w.record("v2"); r.Ended.Sub(r.Began) < 30*24*time.Hour {
			t.Errorf("it took %s", r.Ended.Sub(r.Began))
		}
	}, func(o *stack.Options) {
		o.Sweep = 24 * time.Hour // else 8,640 sweeps are what takes the time
		for i := range o.Ramp.Steps {
			o.Ramp.Steps[i].Bake = sm.Duration(10 * 24 * time.Hour)
		}
	})
}

// Whoever has an old page open calls the old environment, and is waited for, but not for ever.
func TestDrain_WaitsForOpenTabs(t *testing.T) {
	for name, tabs := range map[string]struct{ open, atLeast, atMost time.Duration }{
		"for ten minutes": {10 * time.Minute, 12 * time.Minute, 15*time.Minute + time.Second},
		"for ever":        {24 * time.Hour, 30 * time.Minute, 32 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.reaches("OldTabsOpen")

				promoted := time.Now()
				for time.Since(promoted) < tabs.open && w.running("v2") {
					w.measure("a", "Count", 1)
					time.Sleep(30 * time.Second)
				}

				w.ends("v2", sm.Released)

				r := w.record("v2")
				if took := r.Ended.Sub(*r.Promoted); took < tabs.atLeast || took > tabs.atMost {
					t.Errorf("contract came %s after the promotion, expected %s to %s", took, tabs.atLeast,
						tabs.atMost)
				}

				w.stands("b", "v1", "v2")
			})
		})
	}
}

// A call that may take ten minutes is waited for, though nobody calls any more, whatever called it.
func TestDrain_LongCalls(t *testing.T) {
	const longest = 10 * time.Minute

	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)

		if r := w.record("v2"); r.Ended.Sub(*r.Promoted) < longest {
			t.Errorf("contract came %s after the promotion, expected at least %s", r.Ended.Sub(*r.Promoted),
				longest)
		}
	}, func(o *stack.Options) { o.CallTimeout = longest })
}

// Metrics come minutes late: what they do not say yet is no quiet.
func TestDrain_MetricsThatLag(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.reaches("OldTabsOpen")
		w.stack.Cloud.Metrics.Lag(150 * time.Second)

		var last time.Time

		for promoted := time.Now(); time.Since(promoted) < 8*time.Minute; time.Sleep(time.Minute) {
			w.measure("a", "Count", 1)

			last = time.Now()

			if w.record("v2").Contracted {
				t.Fatalf("contracted while a tab calls every minute\n%s", w.story())
			}
		}

		w.ends("v2", sm.Released)

		if quietly := w.record("v2").Ended.Sub(last); quietly < quiet {
			t.Errorf("contracted %s after the last call", quietly)
		}

		w.stands("b", "v1", "v2")
	})
}
