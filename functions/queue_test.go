package functions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lockstep/infra/local/stack"
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

		if r := w.record("v3"); r.Outcome != sm.Superseded || !strings.Contains(r.Cause.Text, "v4") {
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

// Of two that ask with one release at the same time one gets a place, whatever becomes of it: the
// other would wait for a turn that ends in a refusal.
func TestQueue_OneReleaseHasOnePlace(t *testing.T) {
	for name, copied := range map[string]struct {
		stalls sm.Task
		before string
	}{
		"the lock looks as it did before": {sm.Begin, "/ledger/lock.json"},
		"the end is not recorded yet":     {sm.Finish, "/ledger/releases/v3.json"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)
				w.merge(w.release("v4", 4, everything))
				w.upload(w.release("v3", 3, everything))
				time.Sleep(10 * time.Second)
				w.stalls(copied.stalls, "PutObject", copied.before, 30*time.Second)

				merge := func() { w.putEvent(sm.SourceCI, sm.DetailMerge, hotfix("v3", 3)) }
				start := func() { w.start(`{"release":"v3"}`) } // superseded by v4 at once

				first, second, went := merge, start, []string{refused, superseded}
				if copied.stalls == sm.Finish {
					first, second, went = start, merge, []string{superseded, refused}
				}

				first()
				time.Sleep(5 * time.Second)
				second()
				time.Sleep(time.Minute)
				w.tookTimes("v3", went...)

				if r := w.record("v3"); r.Outcome != sm.Superseded || !strings.Contains(r.Cause.Text, "v4") {
					t.Errorf("v3 was %s: %s", r.Outcome, r.Cause)
				}

				w.ends("v4", sm.Released)
				w.stands("a", "v4", "v2")
			})
		})
	}
}

// A merge that could not be released takes nobody's place: it is refused before it joins the queue.
func TestQueue_WhatIsRefusedSupersedesNobody(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)

		broken := w.release("v4", 4, everything)
		broken.objects["site.zip"] = []byte("another")
		w.merge(broken)
		w.merge(w.release("v5", 3, everything)) // no newer than v3
		time.Sleep(10 * time.Second)

		for id, says := range map[string]string{"v4": "SHA-256", "v5": "which v3 has already"} {
			if r := w.record(id); r.Outcome != sm.Refused || !strings.Contains(r.Cause.Text, says) {
				t.Errorf("%s was %s: %s", id, r.Outcome, r.Cause)
			}
		}

		w.ends("v2", sm.Released)
		w.ends("v3", sm.Released)
		w.took("v3", waited+good)
		w.stands("a", "v3", "v2")
	})
}

// One runs, the newest follows, each of the others is told that it is superseded; none is lost.
func TestQueue_AHundredMergesWithinAMinute(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()

		const last = 101

		order := rand.New(rand.NewPCG(1, 2)).Perm(last - 1)
		for _, n := range order { // each delivered twice, in any order
			r := w.release(fmt.Sprintf("v%d", n+2), int64(n+2), brings{site: true})
			w.upload(r)

			for range 2 {
				go w.announceMerge(r.manifest.Release, r.manifest.Sequence)
			}

			time.Sleep(time.Minute / last)
		}

		w.endsWithin(12*time.Hour, fmt.Sprintf("v%d", last), sm.Released)

		first, outcomes := fmt.Sprintf("v%d", order[0]+2), map[sm.Outcome]int{}
		for n := 2; n <= last; n++ {
			id := fmt.Sprintf("v%d", n)
			w.eventually(id+" has ended", time.Hour, func() bool {
				return w.record(id).Outcome != "" &&
					!w.running(id)
			})

			r := w.record(id)
			if outcomes[r.Outcome]++; r.Outcome == sm.Superseded &&
				!strings.Contains(r.Cause.Text, "which is newer") {
				t.Errorf("%s: %s", id, r.Cause)
			}
		}

		if outcomes[sm.Released] != 2 || outcomes[sm.Superseded] != 98 ||
			w.record(first).Outcome != sm.Released {
			t.Errorf("of a hundred merges: %v; the first, %s, was %s", outcomes, first,
				w.record(first).Outcome)
		}
	})
}

func TestQueue_InTurn(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)

		for _, n := range []int64{5, 3, 4} {
			w.merge(w.release(fmt.Sprintf("v%d", n), n, everything))
			time.Sleep(10 * time.Second)
		}

		for _, id := range []string{"v2", "v3", "v4", "v5"} {
			w.ends(id, sm.Released)
		}

		for id, before := range map[string]string{"v3": "v2", "v4": "v3", "v5": "v4"} {
			if began, ended := w.record(id).Began, w.record(before).Ended; began.Before(*ended) {
				t.Errorf("%s began at %s, before %s ended at %s", id, began, before, ended)
			}
		}

		w.stands("a", "v5", "v4")
	}, func(o *stack.Options) { o.Queue = sm.InTurn })
}

// Whose turn it is keeps it, also where a newer merge finds the lock free at the moment; and one
// that is stopped holds nobody up.
func TestQueue_InTurn_NobodyJumpsIt(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		w.merge(w.release("v4", 4, everything))
		w.upload(w.release("v5", 5, everything))
		time.Sleep(10 * time.Second)
		w.stop("v3")
		w.before(sm.Finish, func() { // of v2: v4 is woken, and has not asked yet
			w.before(sm.Begin, func() {
				w.announceMerge("v5", 5)
				time.Sleep(5 * time.Second)
			})
		})
		w.ends("v2", sm.Released)
		w.ends("v4", sm.Released)
		w.ends("v5", sm.Released)

		if r := w.record("v3"); r.Outcome != sm.Refused {
			t.Errorf("v3 was %s: %s", r.Outcome, r.Cause)
		}

		w.stands("b", "v4", "v5")
	}, func(o *stack.Options) { o.Queue = sm.InTurn })
}

func TestQueue_Refuses(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(10 * time.Second)

		if r := w.record("v3"); r.Outcome != sm.Refused ||
			!strings.Contains(r.Cause.Text, "v2 is under way") {
			t.Errorf("v3 was %s: %s", r.Outcome, r.Cause)
		}

		w.ends("v2", sm.Released)
		w.announceMerge("v3", 3)
		time.Sleep(10 * time.Second)
		w.ends("v3", sm.Released)
		w.tookTimes("v3", refused, good)
		w.stands("a", "v3", "v2")
	}, func(o *stack.Options) { o.Queue = sm.RefuseNew })
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

// Two merges in the same moment: whichever takes the lock, none is lost and the newest is live in
// the end.
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
			w.eventually("v2 has ended", time.Hour, func() bool {
				return w.record("v2").Outcome != "" &&
					!w.running("v2")
			})

			if r := w.record("v2"); r.Outcome == sm.Released {
				w.stands("a", "v3", "v2")
			} else if r.Outcome == sm.Refused && strings.Contains(r.Cause.Text, "v3") {
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

// What the console starts with {} is the newest upload of that moment; who waited with it and is
// refused in the end is accounted for under its name.
func TestQueue_NewestUpload_RefusedAfterItWaited(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.merge(w.release("v3", 3, everything))
		w.bakes("v3", 500)
		w.upload(w.release("v2", 2, everything))
		w.start("{}")
		w.ends("v3", sm.Released)
		w.ends("v2", sm.Refused)

		if said := w.said("v2", sm.Finish); len(said) != 1 ||
			!strings.HasPrefix(said[0], "v2 is refused: ") {
			t.Errorf("announced %q", said)
		}

		w.stands("b", "v1", "v3")
	})
}
