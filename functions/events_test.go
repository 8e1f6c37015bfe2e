package functions_test

import (
	"slices"
	"testing"
	"time"

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

// An event has no viewer whom a ramp could split: however many viewers have the new release, events call the one that
// serves, and change over with the roles.
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
