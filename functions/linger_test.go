package functions_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	sm "lockstep/statemachine"
)

type abandonedKey struct{}

// abandons lets the connection to the next call of a step break: the machine hears
// Lambda.ServiceException and calls again, while the Lambda, which knows nothing of it, goes on.
// As many of the calls that follow are refused.
func (w *world) abandons(task sm.Task, refused int64) {
	var calls atomic.Int64

	handler := w.mortal(task, w.steps()[task])
	w.runner.Handle(config.LambdaName(app, task),
		func(ctx context.Context, payload []byte) ([]byte, error) {
			switch n := calls.Add(1); {
			case n == 1:
				go func() {
					alive, cancel := context.WithTimeout(context.WithValue(context.WithoutCancel(ctx),
						abandonedKey{}, true), 15*time.Minute)
					defer cancel()

					_, _ = handler(alive, payload)
				}()

				time.Sleep(5 * time.Second)

				return nil, messages.InvokeResponse_Error{Type: "Lambda.ServiceException",
					Message: "connection reset"}
			case n-1 <= refused:
				return nil, messages.InvokeResponse_Error{Type: "Lambda.TooManyRequestsException",
					Message: "Rate exceeded"}
			}

			return handler(ctx, payload)
		})
}

// lingersUntil lets who was abandoned stand still before its next call of an operation until
// something has happened.
func (w *world) lingersUntil(operation, path string, happened func() bool) {
	var lingered atomic.Bool

	w.stack.Cloud.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			meant := cloud.CallOf(r.Context()).Operation == operation &&
				strings.Contains(r.URL.Path, path) && r.Context().Value(abandonedKey{}) != nil
			if meant && !lingered.Swap(true) {
				for !happened() {
					time.Sleep(time.Second)
				}
			}

			next.ServeHTTP(rw, r)
		})
	})
}

// It would sync active with fallback again, in the middle of the ramp.
func TestLinger_Sync(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.lingersUntil("GetFunction", "shop-orders", func() bool { return w.record("v2").Weight == 500 })
		w.abandons(sm.Sync, 0)
		w.second()
		w.bakes("v2", 500)
		time.Sleep(30 * time.Second)

		for _, path := range []string{"/api-b/orders", "/api-b/catalog"} {
			if got := w.get(path, "").Header.Get("x-lockstep-release"); got != "v2" {
				t.Errorf("%s answers as %s", path, got)
			}
		}

		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// What AWS has no condition for it would write when everything is done by which it is called again.
func TestLinger_SyncAboutToSetTheStage(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.lingersUntil("UpdateStage", "api-b", func() bool { time.Sleep(8 * time.Second); return true })
		w.abandons(sm.Sync, 0)
		w.second()
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// The aliases and the stage of a release that was rolled back, and what the ledger says of them,
// which is word for word what it said before the release.
func TestLinger_Deploy_UntilItIsRolledBack(t *testing.T) {
	for operation, path := range map[string]string{"UpdateFunctionCode": "shop-orders",
		"UpdateAlias": "shop-orders", "PutObject": "/ledger/environments/b.json"} {
		t.Run(operation, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.lingersUntil(operation, path, func() bool { return len(w.said("v2", sm.Rollback)) == 2 })
				w.abandons(sm.Deploy, 0)
				w.second()
				w.bakes("v2", 500)
				w.operator(sm.SignalRollback)
				w.ends("v2", sm.RolledBack)
				time.Sleep(time.Minute)
				w.stands("a", "v1", "v1")
			})
		})
	}
}

// It is about to move an alias when the machine gives up, and nothing was moved that the rollback
// had to move back.
func TestLinger_Deploy_AndNobodyIsCalledAgain(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.lingersUntil("UpdateAlias", "shop-catalog",
			func() bool { return w.record("v2").State == sm.Finish })
		w.abandons(sm.Deploy, 1000)
		w.second()
		w.ends("v2", sm.RolledBack)
		time.Sleep(time.Minute)
		w.stands("a", "v1", "v1")
	})
}

// It is about to move an alias, which the call after it may not, and so says itself that it failed.
func TestLinger_Deploy_AndTheCallAfterItFails(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()

		refused := sync.OnceFunc(func() { w.refuses(sm.Deploy, "UpdateAlias", "shop-catalog") })

		w.lingersUntil("UpdateAlias", "shop-catalog",
			func() bool { refused(); return w.record("v2").State == sm.Finish })
		w.abandons(sm.Deploy, 0)
		w.second()
		w.ends("v2", sm.RolledBack)
		time.Sleep(time.Minute)
		w.stands("a", "v1", "v1")
	})
}

// The weight of the preview is 0.
func TestLinger_Deploy_AboutToOpenThePreview(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.lingersUntil("DescribeKeyValueStore", "", func() bool { return w.record("v2").Weight == 500 })
		w.abandons(sm.Deploy, 0)
		w.second()
		w.ends("v2", sm.Released)
		w.weighed("v2", 500, 2500, 10000, 0)
	})
}

// The weight grows no more when it was rolled back.
func TestLinger_Ramp_UntilItIsRolledBack(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.lingersUntil("GetParameter", "", func() bool { return len(w.said("v2", sm.Rollback)) == 2 })
		w.abandons(sm.Ramp, 1000)
		w.second()
		w.ends("v2", sm.RolledBack)
		time.Sleep(10 * time.Minute)
		w.weighed("v2", 0)
		w.stands("a", "v1", "v1")
	})
}

// It would say that the release is in CheckAlarms, and nobody would wind the clock of a bake.
func TestLinger_CheckAlarms(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.lingersUntil("GetObject", "/ledger/releases/v2.json",
			func() bool { r := w.record("v2"); return r.Wait != nil && r.Wait.Paused != nil })
		w.abandons(sm.CheckAlarms, 0)
		w.second()
		w.bakes("v2", 2500)
		w.operator(sm.SignalPause)
		time.Sleep(time.Minute)
		w.operator(sm.SignalResume)
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// It has read which roles are true, and they are swapped since.
func TestLinger_Begin_AboutToMendTheRoles(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.swapRoles()
		w.lingersUntil("DescribeAlarms", "/", func() bool { return w.record("v2").State == sm.Drain })
		w.abandons(sm.Begin, 0)
		w.second()
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")

		if said := w.said("v2", sm.Begin); len(said) != 1 {
			t.Errorf("it began %d times: %q", len(said), said)
		}
	})
}

// The schema is as it was, and stays so.
func TestLinger_Expand_UntilItIsRolledBack(t *testing.T) {
	for _, operation := range []string{"GetObject", "GetSecretValue"} {
		t.Run(operation, func(t *testing.T) {
			storyWithDatabase(t, func(w *world, customers func() string) {
				path := ""
				if operation == "GetObject" {
					path = "/releases/v2/migrations.zip"
				}

				w.lingersUntil(operation, path, func() bool { return w.record("v2").Ended != nil })
				w.abandons(sm.Expand, 0)

				second := everything
				second.migrations = splitsNames
				w.merge(w.release("v2", 2, second))
				w.bakes("v2", 500)
				w.operator(sm.SignalRollback)
				w.ends("v2", sm.RolledBack)
				time.Sleep(time.Minute)

				if got := customers(); got != before || w.record("v2").Expanded {
					t.Errorf("the schema is %s; that it is expanded the record says: %t", got,
						w.record("v2").Expanded)
				}
			})
		})
	}
}

// Its execution died and another one ended the release: the lock is free, and whoever started it
// in the console may have it again.
func TestLinger_Begin_OfAnExecutionThatWasRecovered(t *testing.T) {
	for _, again := range []bool{false, true} {
		story(t, func(w *world) {
			w.quietlyLive()
			w.upload(w.release("v2", 2, everything))

			stopped := func() {
				w.bakes("v2", 500)
				w.stop("v2")
				w.ends("v2", sm.RolledBack)
			}
			ended := false

			w.lingersUntil("GetObject", "/ledger/releases/v2.json", func() bool { return ended })
			w.abandons(sm.Begin, 0)
			w.start(`{"release":"v2"}`)
			stopped()

			if again {
				w.start(`{"release":"v2"}`)
				stopped()
			}

			ended = true

			time.Sleep(5 * time.Second)

			var lock sm.Lock
			if w.read(sm.LockKey, &lock); lock.Holder != nil || len(lock.Queue) > 0 {
				t.Errorf("the lock is %+v", lock)
			}

			time.Sleep(time.Hour)

			if r := w.record("v2"); r.Outcome != sm.RolledBack {
				t.Errorf("v2 was rolled back, and then its record says %q: %s", r.Outcome, r.Cause)
			}
		})
	}
}
