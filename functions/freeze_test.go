package functions_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// freeze writes the parameter, as lockstep does or somebody in the console.
func (w *world) freeze(value string) {
	w.t.Helper()

	if err := w.stack.Cloud.SSM.Put(sm.FreezeParameter(app), value); err != nil {
		w.t.Fatal(err)
	}
}

func TestFreeze_HoldsTheRamp_AndLiftingItWakesIt(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.freeze("Black Friday")

		if h := w.holds("v2", sm.HeldByFreeze, 500); h.Why != "frozen: Black Friday" {
			t.Errorf("held %+v", h)
		}

		w.operator(sm.SignalAdvance) // a freeze is more than one person's word
		time.Sleep(12 * time.Hour)
		w.holds("v2", sm.HeldByFreeze, 500)

		lifted := time.Now()

		w.freeze("off")
		w.bakes("v2", 2500)

		if took := time.Since(lifted); took > 5*time.Second {
			t.Errorf("it went on after %s", took)
		}

		w.ends("v2", sm.Released)
		w.weighed("v2", 500, 2500, 10000, 0)

		if said := w.announcedHeld("v2", sm.HeldByFreeze); len(said) != 1 {
			t.Errorf("announced %q", said)
		}

		w.stands("b", "v1", "v2")
	})
}

func TestFreeze_KeepsReleasesFromBeginning(t *testing.T) {
	for name, lift := range map[string]func(w *world){
		"switched off": func(w *world) { w.freeze(" Off ") },
		"deleted by hand": func(w *world) {
			if err := w.stack.Cloud.SSM.Delete(sm.FreezeParameter(app)); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.freeze("holidays")
				before := w.snapshot()
				w.second()
				time.Sleep(10 * time.Minute)
				w.merge(w.release("v3", 3, everything))
				time.Sleep(24 * time.Hour)

				if after := w.snapshot(); after != before {
					t.Errorf("before %s, after %s", before, after)
				}

				if r := w.record("v2"); r.Outcome != sm.Superseded {
					t.Errorf("v2 was %s: %s", r.Outcome, r.Cause)
				}

				lift(w)
				w.ends("v3", sm.Released)
				w.stands("b", "v1", "v3")

				if said := w.announcedWaits("v3"); said != 1 {
					t.Errorf("announced %d times that it waits", said)
				}
			})
		})
	}
}

// announcedWaits counts how often it was said that a release may not begin.
func (c *chronicle) announcedWaits(release string) (n int) {
	for _, text := range c.said(release, sm.Begin) {
		if strings.Contains(text, "waits to begin: frozen: holidays") {
			n++
		}
	}

	return n
}

// EventBridge hears of parameters at best effort: where it does not, the next look finds out.
func TestFreeze_LiftedUnheard(t *testing.T) {
	for name, c := range map[string]struct{ under, held func(w *world) }{
		"in the ramp": {func(w *world) { w.second(); w.bakes("v2", 500); w.freeze("holidays") },
			func(w *world) { w.holds("v2", sm.HeldByFreeze, 500) }},
		"before it began": {func(w *world) { w.freeze("holidays"); w.second() }, func(w *world) {}},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()

				if err := w.stack.Cloud.Events.PutRule(events.Rule{Name: "lockstep-shop-freeze", Disabled: true,
					Pattern: `{"source":["aws.ssm"]}`}); err != nil {
					t.Fatal(err)
				}

				c.under(w)
				c.held(w)
				time.Sleep(10 * time.Hour)
				w.freeze("off")
				// within two hours: it looks after a tenth of the time that has passed
				w.ends("v2", sm.Released)
				w.stands("b", "v1", "v2")
			})
		})
	}
}

func TestFreeze_RollsBack(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 2500)
		w.freeze("holidays")
		w.holds("v2", sm.HeldByFreeze, 2500)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
		w.freeze("off")
	})
}

// A freeze of most of a year fits into a history of 25,000 events.
func TestFreeze_OfMostOfAYear(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.freeze("the year off")
		w.second()
		w.merge(w.release("v3", 3, everything))
		time.Sleep(150 * 24 * time.Hour)
		w.freeze("off")
		w.bakes("v3", 500)
		w.freeze("and the rest of it")
		w.operator(sm.SignalAdvance)
		w.holds("v3", sm.HeldByFreeze, 500)
		time.Sleep(150 * 24 * time.Hour)
		w.holds("v3", sm.HeldByFreeze, 500)

		for _, e := range w.executions("v3") {
			if n := len(e.Path); n*6 > 15_000 {
				t.Errorf("its history has %d states", n)
			}
		}

		w.operator(sm.SignalRollback)
		w.ends("v3", sm.RolledBack)
		w.stands("a", "v1", "v1")
	}, func(o *stack.Options) { o.Sweep = time.Hour }) // every five minutes 86,400 sweeps would be most of what this story does
}

const fixed = deployed + baked + ended // no step but the last

func hotfix(id string, sequence int64) sm.Merge {
	return sm.Merge{App: app, Release: id, Sequence: sequence, Hotfix: true, Reason: "nobody can pay"}
}

func TestHotfix_SkipsWindowsFreezeApprovalsAndBakes(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.freeze("holidays")
		w.upload(w.release("v2", 2, everything))
		w.putEvent(sm.SourceCI, sm.DetailMerge, hotfix("v2", 2))
		w.ends("v2", sm.Released)
		w.took("v2", fixed)
		w.weighed("v2", 10000, 0)

		r := w.record("v2")
		if r.Hotfix != "nobody can pay" || !strings.Contains(r.Events[0].Text,
			"a hotfix, which skips its ramp: nobody can pay") {
			t.Errorf("recorded %q, told %q", r.Hotfix, r.Events[0].Text)
		}

		if took := r.Promoted.Sub(r.Began); took > time.Minute {
			t.Errorf("everyone had it after %s", took)
		}

		if last := w.announced[len(w.announced)-1].change; last.Hotfix != "nobody can pay" {
			t.Errorf("announced %+v", last)
		}

		w.stands("b", "v1", "v2")
		w.freeze("off")
	}, windows(officeHours), approvals(1, 2))
}

// What it does not skip is what keeps viewers from a release that does not work at all.
func TestHotfix_DoesNotSkipTheProbe(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.breaks("v2", "catalog")
		w.upload(w.release("v2", 2, everything))
		w.start(`{"release":"v2","hotfix":true,"reason":"nobody can pay"}`)
		time.Sleep(time.Second)
		w.ends("v2", sm.RolledBack)
		w.took("v2", strings.TrimSpace(deployed)+undone)
		w.weighed("v2", 0)
		w.stands("a", "v1", "v1")
	})
}

// It waits for the release under way like any other, before those who are none; what is newer
// comes after it.
func TestHotfix_GoesFirst(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(time.Second)
		w.upload(w.release("v4", 4, everything))
		w.putEvent(sm.SourceCI, sm.DetailMerge, hotfix("v4", 4))
		time.Sleep(time.Second)
		w.merge(w.release("v5", 5, everything))
		time.Sleep(time.Second)

		if r := w.record("v3"); r.Outcome != sm.Superseded {
			t.Errorf("v3 was %s: %s", r.Outcome, r.Cause)
		}

		w.operator(sm.SignalRollback) // how v4 is put before v2
		w.ends("v2", sm.RolledBack)
		w.ends("v4", sm.Released)
		w.took("v4", waited+fixed)
		w.ends("v5", sm.Released)
		w.stands("a", "v5", "v4")
	})
}

func TestHotfix_NeedsAReason(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.upload(w.release("v2", 2, everything))
		before := w.snapshot()
		w.start(`{"release":"v2","hotfix":true}`)
		w.start(`{"release":"v2","reason":"I am in a hurry"}`)
		w.putEvent(sm.SourceCI, sm.DetailMerge, sm.Merge{App: app, Release: "v2", Sequence: 2,
			Hotfix: true, Reason: " "})
		time.Sleep(time.Minute)
		w.tookTimes("v2", refused, refused, refused)

		for _, e := range w.executions("v2") {
			if !strings.Contains(e.Cause, "reason: found") {
				t.Errorf("ended with %s", e.Cause)
			}
		}

		if after := w.snapshot(); after != before {
			t.Errorf("before %s, after %s", before, after)
		}
	})
}

// What a freeze has wound for a merge goes with the merge: the schedule would call nobody.
func TestFreeze_LeavesNoClock(t *testing.T) {
	for name, end := range map[string]struct {
		of   func(w *world)
		as   sm.Outcome
		left int
	}{
		"superseded": {func(w *world) { w.merge(w.release("v3", 3, everything)) }, sm.Superseded, 1},
		"stopped":    {func(w *world) { w.stop("v2") }, sm.Refused, 0},
		"superseded, and Finish dies": {func(w *world) {
			w.dies(sm.Finish, 1, manner{of: "DeleteSchedule"})
			w.merge(w.release("v3", 3, everything))
		}, sm.Superseded, 1},
		"stopped, and Recover dies": {func(w *world) {
			w.dies(sm.Recover, 1, manner{before: true, of: "DeleteSchedule"})
			w.stop("v2")
		}, sm.Refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.freeze("holidays")
				w.second()
				time.Sleep(time.Minute)

				if clocks := w.stack.Cloud.Scheduler.List(); len(clocks) != 1 {
					t.Fatalf("%d clocks are wound, expected that of v2", len(clocks))
				}

				end.of(w)
				w.ends("v2", end.as)
				time.Sleep(2 * time.Minute)

				if clocks := w.stack.Cloud.Scheduler.List(); len(clocks) != end.left {
					t.Errorf("%d clocks are wound, expected %d", len(clocks), end.left)
				}

				w.freeze("off")

				if end.left > 0 {
					w.ends("v3", sm.Released)
				}
			})
		})
	}
}

// Begin winds the schedule of a merge that has ended meanwhile.
func TestFreeze_LeavesNoClock_WoundTooLate(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.freeze("holidays")
		w.stalls(sm.Begin, "CreateSchedule", "", 20*time.Second)
		w.second()
		time.Sleep(5 * time.Second)
		w.merge(w.release("v3", 3, everything))
		w.ends("v2", sm.Superseded)
		time.Sleep(time.Minute)

		if clocks := w.stack.Cloud.Scheduler.List(); len(clocks) != 1 {
			t.Errorf("%d clocks are wound, expected that of v3", len(clocks))
		}

		w.freeze("off")
		w.ends("v3", sm.Released)
	})
}

// Begin dies between taking the lock and deleting the schedule.
func TestFreeze_LeavesNoClock_ToWhoDiesAsItBegins(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.freeze("holidays")
		w.second()
		time.Sleep(time.Minute)

		d := w.dies(sm.Begin, 1, manner{of: "DeleteSchedule", before: true})
		w.freeze("off")
		w.bakes("v2", 500)

		if clocks := w.stack.Cloud.Scheduler.List(); len(clocks) != 1 || !d.dead.Load() {
			t.Errorf("it died: %t; %d clocks are wound, expected that of the bake", d.dead.Load(),
				len(clocks))
		}

		w.ends("v2", sm.Released)
	})
}

// In turn, the first one is refused when the freeze is over: the next one does not wait for its
// clock, which may be half a day.
func TestFreeze_InTurn_TheFirstIsRefused(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.freeze("holidays")
		w.second()
		time.Sleep(10 * time.Second)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(100 * time.Hour)
		w.put("releases/v2/site.zip", []byte("another"))
		w.freeze("off")
		w.ends("v2", sm.Refused)
		w.eventually("v3 begins", 10*time.Minute, func() bool { return w.record("v3").Execution != "" })
		w.ends("v3", sm.Released)
	}, func(o *stack.Options) { o.Queue = sm.InTurn })
}
