package functions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	sm "lockstep/statemachine"
)

// deletes takes an object away from under Lockstep, as somebody who tidies up the state bucket
// does.
func (w *world) deletes(key string) { w.drops("shop-lockstep-state", key) }

func (w *world) drops(bucket, key string) {
	if _, err := s3.NewFromConfig(w.config).DeleteObject(w.t.Context(),
		&s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		w.t.Error(err)
	}
}

// With its record a release loses what alarms and people said. Before contract it goes back, from
// contract on it is finished; either way it ends by itself, and the ledger knows which environment
// is whose.
func TestDeleted_RecordOfTheReleaseUnderWay(t *testing.T) {
	for task, outcome := range map[sm.Task]sm.Outcome{
		sm.Sync: sm.RolledBack, sm.Expand: sm.RolledBack, sm.Deploy: sm.RolledBack, sm.Probe: sm.RolledBack, sm.Ramp: sm.RolledBack,
		sm.CheckAlarms: sm.RolledBack, sm.Promote: sm.RolledBack, sm.Drain: sm.RolledBack, sm.Rollback: sm.RolledBack,
		sm.Contract: sm.Released, sm.Finish: sm.Released,
	} {
		t.Run(string(task), func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.before(task, func() { w.deletes("ledger/releases/v2.json") })
				w.second()

				if task == sm.Rollback {
					w.bakes("v2", 500)
					w.operator(sm.SignalRollback)
				}

				w.ends("v2", outcome)

				record := w.record("v2")
				if record.Began.IsZero() || record.Fence == 0 || record.Active != "b" ||
					record.Fallback != "a" {
					t.Errorf("the record is %+v", record)
				}

				if outcome == sm.RolledBack && task != sm.Rollback &&
					!strings.Contains(record.Cause.Text, "ledger/releases/v2.json was deleted") {
					t.Errorf("rolled back because %s", record.Cause)
				}

				// nobody knew the bake's schedule any more, which answers a used-up token
				if task == sm.Rollback {
					time.Sleep(2 * time.Minute)
				}

				w.quiet()

				if outcome == sm.RolledBack {
					w.stands("a", "v1", "v1")
				} else {
					w.stands("b", "v1", "v2")
				}

				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.quiet()
			})
		})
	}
}

// What the record said of the schema is gone too: it is narrowed if it was widened.
func TestDeleted_RecordOfAReleaseWithMigrations(t *testing.T) {
	for _, task := range []sm.Task{sm.Ramp, sm.Rollback} {
		for _, when := range []func(w *world, task sm.Task, something func()){(*world).before,
			(*world).after} {
			storyWithDatabase(t, func(w *world, customers func() string) {
				second := everything
				second.migrations = splitsNames

				when(w, task, func() { w.deletes("ledger/releases/v2.json") })
				w.merge(w.release("v2", 2, second))

				if task == sm.Rollback {
					w.bakes("v2", 500)
					w.operator(sm.SignalRollback)
				}

				w.ends("v2", sm.RolledBack)

				if got := customers(); got != before {
					t.Errorf("customers: found %s, expected %s", got, before)
				}

				time.Sleep(2 * time.Minute) // for the schedule of a bake that nobody knew any more
				w.quiet()
			})
		}
	}
}

// Whoever takes a release over goes by its record: without one the viewers must not be left where
// they are, as of a release that never began.
func TestDeleted_RecordOfADeadRelease(t *testing.T) {
	for name, c := range map[string]struct {
		until   func(w *world)
		outcome sm.Outcome
	}{
		"at 25 %":  {func(w *world) { w.bakes("v2", 2500) }, sm.RolledBack},
		"in drain": {func(w *world) { w.reaches("OldTabsOpen") }, sm.Released},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				c.until(w)
				time.Sleep(time.Second)
				w.deletes("ledger/releases/v2.json")
				w.stop("v2")
				time.Sleep(time.Hour)
				w.repaired("ledger/releases/v2.json is missing")
				w.ends("v2", c.outcome)
				w.quiet()
				w.stands(map[sm.Outcome]sm.Environment{sm.RolledBack: "a", sm.Released: "b"}[c.outcome], "v1",
					map[sm.Outcome]string{sm.RolledBack: "v1", sm.Released: "v2"}[c.outcome])
			})
		})
	}
}

// What waits for a word hears none any more: repair says so, and brings everyone back.
func TestDeleted_RecordOfAReleaseThatIsPaused(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPause)
		w.eventually("v2 is paused", time.Minute, func() bool { return w.record("v2").Held != nil })
		w.deletes("ledger/releases/v2.json")
		time.Sleep(time.Hour)
		w.repaired("v2 is under way, but ledger/releases/v2.json is missing")
		w.ends("v2", sm.RolledBack)
		w.quiet()
		w.stands("a", "v1", "v1")
	})
}

// A release that loses the lock to nobody is undone by whoever hears that it died.
func TestDeleted_LockOfTheReleaseUnderWay(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.deletes("ledger/lock.json")
		w.ends("v2", sm.RolledBack)
		w.quiet()
		w.stands("a", "v1", "v1")
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)
	})
}

// Repair gives it the lock back: it goes on as if nothing had been.
func TestDeleted_Lock_IsRepairedInTime(t *testing.T) {
	for name, broken := range map[string]func(w *world){
		"deleted": func(w *world) { w.deletes("ledger/lock.json") },
		"damaged": func(w *world) { w.put("ledger/lock.json", []byte("[")) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)
				time.Sleep(time.Second)
				broken(w)
				w.repaired("ledger/lock.json")
				w.ends("v2", sm.Released)
				w.quiet()
				w.stands("b", "v1", "v2")
			})
		})
	}
}

// Between two releases the next merge makes the lock anew, with a newer fence than what may still
// linger of the last one.
func TestDeleted_LockBetweenTwoReleases(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)
		w.deletes("ledger/lock.json")
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)

		if last, now := w.record("v2").Fence, w.record("v3").Fence; now <= last {
			t.Errorf("v3 has the fence %d, and v2 had %d", now, last)
		}

		w.quiet()
		w.stands("a", "v3", "v2")
	})
}
