package functions_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// hears puts an event that a function listens to, and waits until it was called.
func (w *world) hears(release string) {
	w.t.Helper()

	heard := func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()

		return slices.Clone(w.heard)
	}
	before := len(heard())

	w.putEvent("shop", "Order Placed", map[string]string{"id": "1"})
	w.eventually("a function hears of it", time.Minute, func() bool { return len(heard()) > before })

	if got := heard()[before:]; len(got) != 1 || got[0] != release {
		w.t.Errorf("the event called %v, expected %s\n%s", got, release, w.story())
	}
}

// An event has no viewer whom a ramp could split: however many viewers have the new release,
// events call the one that serves, and change over with the roles.
func TestEvents_FollowTheReleaseThatServes(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.hears("v1")
		w.second()
		w.bakes("v2", 500)
		w.hears("v1")
		w.bakes("v2", 10000)
		w.hears("v1")
		w.reaches("OldTabsOpen")
		w.hears("v2")
		w.ends("v2", sm.Released)
		w.hears("v2")
		w.stands("b", "v1", "v2")
	})
}

func TestEvents_FollowARollbackAfterThePromotion(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.reaches("OldTabsOpen")
		w.hears("v2")
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.hears("v1")
		w.stands("a", "v1", "v1")
	})
}

// What somebody moved by hand is level again with the next release.
func TestEvents_MovedByHand_AreLeveled(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()

		if err := w.stack.Cloud.Lambda.Alias("shop-orders", "live", "1"); err != nil {
			t.Fatal(err)
		}

		w.hears("none")
		w.second()
		w.bakes("v2", 500)
		w.hears("v1")
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
	})
}

// failingEvents lets a single failed event be one too many, and what is measured be seen two
// minutes later.
func failingEvents(o *stack.Options) { o.Alarms.FunctionErrors = 1 }

// hearsForAMinute puts events of which the release that serves may or may not make something.
func (w *world) hearsForAMinute() {
	w.t.Helper()

	for range 12 {
		w.putEvent("shop", "Order Placed", map[string]string{"id": "1"})
		time.Sleep(5 * time.Second)
	}
}

// rang tells when the alarm of what events call rang.
func (w *world) rang() (at time.Time) {
	for _, a := range w.stack.Cloud.Metrics.Alarms() {
		if *a.AlarmName == "shop-live-function-orders" && a.StateValue == types.StateValueAlarm {
			at = *a.StateTransitionedTimestamp
		}
	}

	return at
}

// The alarm of what events call rings after the promotion, two minutes late, for what the release
// before did: that says nothing of this one. Where this one fails as well, CloudWatch has no
// second event to tell, and it is found all the same.
func TestEvents_FailedBeforeThePromotion(t *testing.T) {
	for name, c := range map[string]struct {
		outcome sm.Outcome
		fails   bool
	}{"and not after": {sm.Released, false}, "and after": {sm.RolledBack, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, func(w *world) {
				w.quietlyLive()
				w.stack.Cloud.Metrics.Lag(2 * time.Minute)
				w.second()
				w.bakes("v2", 10000)
				w.breaks("v1", "events")
				w.hearsForAMinute()
				w.reaches("OldTabsOpen")

				promoted := *w.record("v2").Promoted
				if !w.rang().IsZero() {
					t.Fatalf("it rang at %s, before the promotion at %s", w.rang(), promoted)
				}

				if c.fails {
					w.breaks("v2", "events")
				}

				w.eventually("the alarm rings", 5*time.Minute,
					func() bool { w.hearsForAMinute(); return !w.rang().IsZero() })
				w.ends("v2", c.outcome)

				if !c.fails {
					return
				}

				if late := w.record("v2").Ended.Sub(promoted); late > 8*time.Minute {
					t.Errorf("rolled back %s after the promotion\n%s", late, w.story())
				}
			}, failingEvents)
		})
	}
}

// A release of which only what events call is bad fails at once when it is promoted, and not
// before.
func TestEvents_FailFromThePromotionOn(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.stack.Cloud.Metrics.Lag(2 * time.Minute)
		w.breaks("v2", "events")
		w.second()
		w.reaches("OldTabsOpen")

		promoted := *w.record("v2").Promoted
		for w.record("v2").Outcome == "" && time.Since(promoted) < 10*time.Minute {
			w.hearsForAMinute()
		}

		w.ends("v2", sm.RolledBack)

		if r := w.record("v2"); r.Ended.Sub(promoted) > 6*time.Minute ||
			!strings.Contains(r.Cause.Text, "shop-live-function-orders") {
			t.Errorf("rolled back %s after the promotion, because %s\n%s", r.Ended.Sub(promoted), r.Cause,
				w.story())
		}
	}, failingEvents)
}
