package functions_test

import (
	"strings"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

const (
	refused    = "Begin Refuse Finish Refused"
	superseded = "Begin Finish Superseded"
	waited     = "Begin "
)

func TestQueue_TheNewestFollows_TheOlderIsSuperseded(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)
		w.merge(w.release("v4", 4, everything))
		time.Sleep(10 * time.Second)
		if r := w.record("v3"); r.Outcome != sm.Superseded || !strings.Contains(r.Cause, "v4") {
			t.Errorf("v3 was %s: %s, expected it to be superseded by v4 at once", r.Outcome, r.Cause)
		}
		w.ends("v2", sm.Released)
		w.ends("v4", sm.Released)

		w.took("v2", good)
		w.took("v3", superseded)
		w.took("v4", waited+good)
		w.stands("a", "v4", "v2")
	})
}

// A rollback hands the lock on, too, and the next release builds on what is live then.
func TestQueue_FollowsARollback(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.breaks("v2", "orders")
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, brings{site: true}))
		w.ends("v2", sm.RolledBack)
		w.ends("v3", sm.Released)
		w.stands("b", "v1", "v3")
		if got := w.get("/api-b/orders", "").Header.Get("x-lockstep-release"); got != "v1" {
			t.Errorf("v3's viewers get the functions of %s, expected v1", got)
		}
	})
}

// Two merges in the same moment: whichever takes the lock, none is lost and the newest is live in the end.
func TestQueue_Race(t *testing.T) {
	for range 5 {
		story(t, func(w *world) {
			w.quietlyLive()
			second, third := w.release("v2", 2, everything), w.release("v3", 3, everything)
			w.upload(second)
			w.upload(third)
			w.announceMerge("v2", 2)
			w.announceMerge("v3", 3)
			w.ends("v3", sm.Released)
			w.eventually("v2 has ended", time.Hour, func() bool { return w.record("v2").Outcome != "" && !w.running("v2") })
			if r := w.record("v2"); r.Outcome == sm.Released {
				w.stands("a", "v3", "v2")
			} else if r.Outcome == sm.Refused && strings.Contains(r.Cause, "v3") {
				w.stands("b", "v1", "v3")
			} else {
				t.Errorf("v2 was %s: %s", r.Outcome, r.Cause)
			}
		})
	}
}

// EventBridge delivers at least once.
func TestMerge_DeliveredTwice(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.announceMerge("v2", 2)
		w.bakes("v2", 2500)
		w.announceMerge("v2", 2)
		w.ends("v2", sm.Released)
		w.announceMerge("v2", 2)
		time.Sleep(10 * time.Second)
		if r := w.record("v2"); r.Outcome != sm.Released {
			t.Errorf("v2 was %s: %s", r.Outcome, r.Cause)
		}
		went := map[string]int{}
		for _, e := range w.executions("v2") {
			went[strings.Join(names(e), " ")]++
			if e.Error != "" && !strings.Contains(e.Cause, "nothing to do") {
				t.Errorf("%s ended with %s: %s, expected the reason", e.Name, e.Error, e.Cause)
			}
		}
		if went[good] != 1 || went[refused] != 3 {
			t.Errorf("v2 went %v\n%s", went, w.story())
		}
		w.stands("b", "v1", "v2")
	})
}

func TestMerge_DeliveredTwice_WhileItWaits(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)
		w.announceMerge("v3", 3)
		time.Sleep(10 * time.Second)
		w.ends("v3", sm.Released)
		w.tookTimes("v3", waited+good, refused)
		w.stands("a", "v3", "v2")
	})
}

// What was rolled back does not come again by itself, only by somebody's will.
func TestMerge_OfWhatWasRolledBack(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.breaks("v2", "catalog")
		w.second()
		w.ends("v2", sm.RolledBack)
		w.announceMerge("v2", 2)
		time.Sleep(10 * time.Second)
		w.tookTimes("v2", strings.TrimSpace(deployed)+undone, refused)

		w.breaks("v2", "nothing any more")
		w.start(`{"release":"v2"}`)
		time.Sleep(time.Second)
		w.ends("v2", sm.Released)
		w.tookTimes("v2", strings.TrimSpace(deployed)+undone, refused, good)
		w.stands("b", "v1", "v2")
	})
}
