package step_test

import (
	"testing"
	"testing/synctest"

	sm "lockstep/statemachine"
)

// Only orders is called by events; its alias live is where fallback's is.
func TestFollow_PromoteAndRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)

		doc := w.release(sm.Promote)
		if got := w.aliases["orders live"]; got != "1" {
			t.Errorf("during the ramp events call version %s, expected the fallback's", got)
		}

		doc = must[sm.Document](t)(w.run(sm.Promote, doc))
		order(t, w.writes, "route b 0", "roles b", "follow orders", "announce")

		if got := w.aliases["orders live"]; got != w.aliases["orders a"] || got == "1" {
			t.Errorf("after the promotion events call version %s, expected the release's", got)
		}

		w.revive()
		must[sm.Document](t)(w.run(sm.Rollback, doc))
		order(t, w.writes, "stage a b v1", "roles a", "follow orders", "point a")

		if got := w.aliases["orders live"]; got != "1" {
			t.Errorf("after the rollback events call version %s, expected the fallback's", got)
		}

		if _, there := w.aliases["catalog live"]; there {
			t.Error("a function without event sources was pointed at")
		}
	})
}

// Whoever lost the lock lets events be.
func TestFollow_WithoutTheLock(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Sync)
	w.aliases["orders live"] = "0"
	w.store(sm.LockKey, sm.Lock{Fence: 9})
	named(t, w.layers().Events.Sync(t.Context(), doc, sm.B), sm.LockLost)

	if w.aliases["orders live"] != "0" {
		t.Error("it wrote without the lock")
	}
}
