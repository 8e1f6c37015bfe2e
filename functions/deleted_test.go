package functions_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/doctor"
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

// The bucket keeps versions: whoever finds the record deleted reads the version before, and whoever
// writes it restores it. The release goes on as if nothing had been.
func TestDeleted_RecordOfTheReleaseUnderWay(t *testing.T) {
	for _, task := range sm.Tasks() {
		if task == sm.Begin { // there is no record yet
			continue
		}

		t.Run(string(task), func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()

				var before sm.Record

				w.before(task, func() {
					before = w.record("v2")
					w.deletes("ledger/releases/v2.json")
				})
				w.second()

				outcome := sm.Released
				if task == sm.Rollback {
					outcome = sm.RolledBack

					w.bakes("v2", 500)
					w.operator(sm.SignalRollback)
				}

				w.ends("v2", outcome)

				record := w.record("v2")
				if !record.Began.Equal(before.Began) || record.Fence != before.Fence ||
					len(record.Events) <= len(before.Events) {
					t.Errorf("the record is %+v, and was %+v", record, before)
				}

				w.quiet()

				if outcome == sm.RolledBack {
					w.stands("a", "v1", "v1")
				} else {
					w.stands("b", "v1", "v2")
				}
			})
		})
	}
}

// The record also says whether the schema was expanded.
func TestDeleted_RecordOfAReleaseWithMigrations(t *testing.T) {
	for _, when := range []func(w *world, task sm.Task, something func()){(*world).before,
		(*world).after} {
		storyWithDatabase(t, func(w *world, customers func() string) {
			second := everything
			second.migrations = splitsNames

			when(w, sm.Rollback, func() { w.deletes("ledger/releases/v2.json") })
			w.merge(w.release("v2", 2, second))
			w.bakes("v2", 500)
			w.operator(sm.SignalRollback)
			w.ends("v2", sm.RolledBack)

			if got := customers(); got != before {
				t.Errorf("customers: found %s, expected %s", got, before)
			}

			w.quiet()
		})
	}
}

// Whoever takes a release over goes by its record, which is read from the version before.
func TestDeleted_RecordOfADeadRelease(t *testing.T) {
	for name, until := range map[string]func(w *world){
		"at 25 %":  func(w *world) { w.bakes("v2", 2500) },
		"in drain": func(w *world) { w.reaches("OldTabsOpen") },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				until(w)
				time.Sleep(time.Second)
				w.deletes("ledger/releases/v2.json")
				w.stop("v2")
				w.ends("v2", sm.RolledBack)
				w.quiet()
				w.stands("a", "v1", "v1")
			})
		})
	}
}

// Nobody writes the record of a release that is paused: doctor finds it deleted and repair restores it,
// while the release waits. The operator's word is heard without that too.
func TestDeleted_RecordOfAReleaseThatIsPaused(t *testing.T) {
	for name, repairs := range map[string]bool{"and repaired": true, "and left": false} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)
				w.operator(sm.SignalPause)
				w.eventually("v2 is paused", time.Minute, func() bool { return w.record("v2").Held != nil })
				w.deletes("ledger/releases/v2.json")
				time.Sleep(time.Hour)

				if repairs {
					w.repaired("ledger/releases/v2.json was deleted")
				}

				w.operator(sm.SignalResume)
				w.ends("v2", sm.Released)
				w.quiet()
				w.stands("b", "v1", "v2")
			})
		})
	}
}

// A release keeps its lease, and who waits their place.
func TestDeleted_LockOfTheReleaseUnderWay(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(time.Minute)
		w.deletes("ledger/lock.json")
		w.ends("v2", sm.Released)
		w.ends("v3", sm.Released)
		w.quiet()
		w.stands("a", "v3", "v2")
	})
}

// Every version is deleted: nothing is invented. The release stops with the lock held, viewers stay where
// they are, and doctor says what is missing.
func TestDeleted_EveryVersion(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)
		w.stack.Cloud.S3.Forget("shop-lockstep-state", "ledger/environments/b.json")

		d := w.asks(false)
		if len(d.Findings) != 1 || d.Findings[0].Kind != doctor.ObjectMissing ||
			d.Findings[0].Subject != "ledger/environments/b.json" || d.Findings[0].Repaired {
			t.Errorf("found %+v, expected that the state of b is missing", d.Findings)
		}

		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Refused)
		w.stands("b", "v1", "?")
	})
}

// A lock with all its versions deleted would begin with a fencing token that was used before.
func TestDeleted_EveryVersionOfTheLock(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)
		w.stack.Cloud.S3.Forget("shop-lockstep-state", "ledger/lock.json")
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Refused)

		w.repaired("ledger/lock.json has fencing token 0")
		w.merge(w.release("v4", 4, everything))
		w.ends("v4", sm.Released)

		if last, now := w.record("v2").Fence, w.record("v4").Fence; now <= last {
			t.Errorf("v4 has the fencing token %d, and v2 had %d", now, last)
		}

		w.quiet()
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
