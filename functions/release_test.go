package functions_test

import (
	"testing"

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
