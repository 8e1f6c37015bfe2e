package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"lockstep/infra/local/cloud/events"
	locals3 "lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// asks calls Repair as lockstep doctor and lockstep repair do.
func (w *world) asks(dryRun bool) (d sm.Diagnosis) {
	w.t.Helper()

	input, _ := json.Marshal(sm.RepairInput{DryRun: dryRun})

	out, failed, err := w.stack.Cloud.Lambda.Invoke(w.t.Context(), sm.LambdaName(app, sm.Repair),
		input)
	if err == nil && failed != "" {
		err = fmt.Errorf("%s: %s", failed, out)
	}

	if err == nil {
		err = json.Unmarshal(out, &d)
	}

	if err != nil {
		w.t.Fatal(err)
	}

	return d
}

// quiet fails unless the doctor finds nothing.
func (w *world) quiet() {
	w.t.Helper()

	if d := w.asks(true); len(d.Findings) > 0 {
		w.t.Errorf("found %+v, expected nothing", d.Findings)
	}
}

// repaired breaks something, and lets the doctor name it, without a change, and repair mend it.
func (w *world) repaired(says string) {
	w.t.Helper()
	before := w.traces()
	d := w.asks(true)

	said := fmt.Sprint(d.Findings)
	if len(d.Findings) == 0 || !strings.Contains(said, says) {
		w.t.Fatalf("the doctor says %s, expected %q", said, says)
	}

	if after := w.traces(); after != before {
		w.t.Errorf("the doctor changed %s\ninto %s", before, after)
	}

	for _, f := range w.asks(false).Findings {
		if !f.Repaired {
			w.t.Errorf("%s: not mended: %s", f.Text, f.Failed)
		}
	}
}

// traces are those of every write to AWS.
func (w *world) traces() string {
	w.lock.Lock()
	defer w.lock.Unlock()

	return fmt.Sprint(w.writes)
}

func TestRepair(t *testing.T) {
	const state = "shop-lockstep-state"

	put := func(w *world, bucket, key, body string) {
		if err := w.stack.Cloud.S3.Put(bucket, key, locals3.Object{Body: []byte(body)}); err != nil {
			w.t.Fatal(err)
		}
	}
	control := func(value string) func(w *world) {
		return func(w *world) {
			if err := w.stack.Cloud.SSM.Put("/lockstep/shop/environments", value); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	route := func(value string) func(w *world) {
		return func(w *world) {
			if err := w.stack.Cloud.KeyValue.Put(w.stack.Settings.KeyValue, sm.RouteKey, value); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	variable := func(e, name, value string) func(w *world) {
		return func(w *world) {
			if _, err := apigateway.NewFromConfig(w.config).UpdateStage(w.t.Context(),
				&apigateway.UpdateStageInput{RestApiId: sdk.String(stack.API),
					StageName: sdk.String("api-" + e),
					PatchOperations: []apitypes.PatchOperation{{Op: apitypes.OpReplace,
						Path: sdk.String("/variables/" + name), Value: &value}}}); err != nil {
				w.t.Fatal(err)
			}
		}
	}

	alias := func(e string) func(w *world) {
		return func(w *world) {
			if err := w.stack.Cloud.Lambda.Alias("shop-orders", e, "1"); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		broken func(w *world)
		says   string
	}{
		"an alias of the fallback was moved": {alias("b"), "alias b of orders names version 1"},
		"an alias of active was moved":       {alias("a"), "alias a of orders names version 1"},
		"events call an old version": {alias("live"),
			"events call another release than viewers: alias live of orders names version 1"},
		"a stage calls the other's aliases": {variable("b", "alias", "a"),
			"stage api-b calls the aliases a as v2"},
		"a stage names another release": {variable("a", "release", "v9"),
			"stage api-a calls the aliases a as v9"},
		"the roles were swapped": {control(`{"active":"b","fallback":"a"}`),
			"the control parameter says that b is active"},
		"the roles are garbage": {control(`a`),
			"cannot read parameter /lockstep/shop/environments"},
		"the roles are both a": {control(`{"active":"a","fallback":"a"}`),
			`found "a" for both`},
		"the route has other roles": {route(`{"active":"b","fallback":"a","weight":0,"release":"v2"}`),
			"the route sends"},
		"the route was left at 5 %": {route(`{"active":"a","fallback":"b","weight":500,"release":"v2"}`),
			"the route sends 5 % of the viewers to a"},
		"the route is garbage": {route(`{"active":"c","fallback":"c","weight":-1}`),
			"the route sends -0.01 % of the viewers to c"},
		"a page was written over": {func(w *world) {
			put(w, "shop-site-b", "index.html",
				"hello")
		}, "index.html is missing or was overwritten"},
		"a page was deleted": {func(w *world) { w.drops("shop-site-a", "index.html") },
			"index.html is missing or was overwritten"},
		"an asset was deleted": {func(w *world) {
			w.drops("shop-site-b",
				"assets/app-v2.js")
		}, "assets/app-v2.js is missing"},
		"somebody put a page": {func(w *world) {
			put(w, "shop-site-b", "mine.html",
				"hello")
		}, "unexpected page in the site bucket: mine.html"},
		"the note of the fallback was lost": {func(w *world) { w.deletes("ledger/environments/b.json") },
			"ledger/environments/b.json was deleted"},
		"the note of active was lost": {func(w *world) { w.deletes("ledger/environments/a.json") },
			"ledger/environments/a.json was deleted"},
		"the note of the fallback is garbage": {func(w *world) {
			put(w, state,
				"ledger/environments/b.json", "{")
		}, "cannot read ledger/environments/b.json"},
		"a record was lost": {func(w *world) { w.deletes("ledger/releases/v2.json") },
			"ledger/releases/v2.json was deleted"},
		"a record is garbage": {func(w *world) {
			put(w, state, "ledger/releases/v2.json",
				"v2")
		}, "cannot read ledger/releases/v2.json"},
		"the lock was lost": {func(w *world) { w.deletes("ledger/lock.json") },
			"ledger/lock.json was deleted"},
		"the lock is garbage": {func(w *world) { put(w, state, "ledger/lock.json", "[") },
			"cannot read ledger/lock.json"},
		"all at once": {func(w *world) {
			control("b")(w)
			route("{}")(w)
			alias("b")(w)
			alias("live")(w)
			variable("b", "alias", "a")(w)
			put(w, "shop-site-b", "index.html", "hello")
			w.deletes("ledger/environments/a.json")
			put(w, state, "ledger/environments/b.json", "")
		}, "cannot read ledger/environments/b.json"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.ends("v2", sm.Released)
				w.quiet()
				w.leave() // whoever measures reads the route
				c.broken(w)
				w.repaired(c.says)
				w.callsAreMeasured()

				w.quiet()
				w.violations = nil // the fallback was written, by the one who may

				w.stands("b", "v1", "v2")

				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.quiet()
				w.stands("a", "v3", "v2")
			})
		})
	}
}

// A release that runs is no finding, and nobody repairs under it.
func TestRepair_LeavesARunningReleaseAlone(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 2500)
		time.Sleep(time.Minute)

		if d := w.asks(false); d.UnderWay != "v2" || len(d.Findings) > 0 {
			t.Errorf("the diagnosis is %+v", d)
		}

		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// What could be done again is done: the wreck is cleared, and whoever waited follows.
func TestRepair_AfterRollbackFailed(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.refuses(sm.Rollback, "UpdateStage", "api-b")
		w.bakes("v2", 500)
		w.operator(sm.SignalRollback)
		w.eventually("v2 has failed", time.Hour, func() bool { return !w.running("v2") })
		w.merge(w.release("v3", 3, everything))
		time.Sleep(time.Hour)
		w.mu.Lock()
		w.faults = nil
		w.mu.Unlock()
		w.repaired("the lock is held for v2")
		w.ends("v2", sm.RolledBack)
		w.ends("v3", sm.Released)
		w.quiet()
		w.stands("b", "v1", "v3")
	})
}

// As long as it can't be done, it is asked for again.
func TestRepair_AfterRollbackFailed_InVainAtFirst(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.refuses(sm.Rollback, "UpdateStage", "api-b")
		w.bakes("v2", 500)
		w.operator(sm.SignalRollback)
		time.Sleep(time.Hour)
		w.repaired("the lock is held for v2")
		time.Sleep(time.Hour)
		w.mu.Lock()
		w.faults = nil
		w.mu.Unlock()
		w.repaired("RollbackFailed")
		w.ends("v2", sm.RolledBack)
		w.quiet()
		w.stands("a", "v1", "v1")
	})
}

// Somebody damages the record of the release under way: no step can go on, and nobody take it
// over, until it is written anew.
func TestRepair_RecordOfTheReleaseUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		until   func(w *world)
		outcome sm.Outcome
		a, b    string
	}{
		"at 25 %":  {func(w *world) { w.bakes("v2", 2500) }, sm.RolledBack, "v1", "v1"},
		"in drain": {func(w *world) { w.reaches("OldTabsOpen") }, sm.RolledBack, "v1", "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				c.until(w)
				time.Sleep(time.Second)
				w.put("ledger/releases/v2.json", []byte("{"))
				time.Sleep(time.Hour)
				w.repaired("cannot read ledger/releases/v2.json")
				w.ends("v2", c.outcome)
				w.quiet()
				w.stands(map[sm.Outcome]sm.Environment{sm.RolledBack: "a", sm.Released: "b"}[c.outcome], c.a,
					c.b)
				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
			})
		})
	}
}

// A note that says less than was released is as good as none: the next release would go to
// everyone at once.
func TestRepair_NoteThatSaysNothing(t *testing.T) {
	for name, c := range map[string]struct{ e, note, says string }{
		"of the fallback": {"b", `{"environment":"b","inSync":true}`,
			"cannot read ledger/environments/b.json: release: found nothing"},
		"of another": {"b", `{"environment":"a","release":"v1","inSync":true}`,
			`ledger/environments/b.json: environment: found "a", expected "b"`},
		"of active": {"a", `{}`, `ledger/environments/a.json: environment: found "", expected "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.ends("v2", sm.Released)
				w.put("ledger/environments/"+c.e+".json", []byte(c.note))

				if name == "of the fallback" {
					w.merge(w.release("v3", 3, everything))
					w.ends("v3", sm.Refused)

					if cause := w.record("v3").Cause.Text; !strings.Contains(cause,
						"says that b has no release, but its API is v2") {
						t.Errorf("refused: %s", cause)
					}
				}

				w.repaired(c.says)
				w.quiet()
				w.stands("b", "?", "v2")
				w.merge(w.release("v4", 4, everything))
				w.ends("v4", sm.Released)
				w.stands("a", "v4", "v2")
			})
		})
	}
}

// Without its bundle an environment can be neither levelled nor rolled back to: it is said, and
// said again, until it is uploaded again.
func TestRepair_BundleThatWasLost(t *testing.T) {
	for name, broken := range map[string]func(w *world){
		"lost":         func(w *world) { w.deletes("releases/v2/site.zip") },
		"written over": func(w *world) { w.put("releases/v2/site.zip", []byte("hello")) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				v2 := w.release("v2", 2, everything)
				w.merge(v2)
				w.ends("v2", sm.Released)
				broken(w)

				d := w.asks(false)
				if len(d.Findings) != 1 || d.Findings[0].Repaired ||
					!strings.Contains(d.Findings[0].Text, "its site cannot be written any more: ") ||
					!strings.Contains(d.Findings[0].Text, "releases/v2/site.zip") {
					t.Errorf("found %+v", d.Findings)
				}

				w.upload(v2)
				w.quiet()
				w.stands("b", "v1", "v2")
			})
		})
	}
}

// What a damaged lock hid is mended with it.
func TestRepair_BehindADamagedLock(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.put("ledger/lock.json", []byte(`{"fence":5,"holder":"arn:x"}`))
		w.swapRoles()
		w.repaired("cannot read ledger/lock.json")
		w.quiet()
		w.stands("a", "v1", "")
	})
}

// A repair that died holds the lock, and its own record is damaged.
func TestRepair_RecordOfARepair(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)

		if err := w.stack.Cloud.Lambda.Alias("shop-orders", "a", "1"); err != nil {
			t.Fatal(err)
		}

		d := w.dies(sm.Repair, 2, manner{before: true}) // it has the lock
		_, _, _ = w.stack.Cloud.Lambda.Invoke(w.t.Context(), sm.LambdaName(app, sm.Repair), []byte("{}"))
		w.put("ledger/releases/repair.json", []byte("{"))
		time.Sleep(time.Hour)

		if !d.dead.Load() {
			t.Error("it did not die")
		}

		w.repaired("cannot read ledger/releases/repair.json")
		time.Sleep(time.Minute)
		w.repaired("alias a of orders")
		w.quiet()
		w.stands("b", "v1", "v2")
	})
}

// The lock is held by an execution that nobody ever heard of.
func TestRepair_LockOfNobody(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.deaf(true)
		w.stop("v2")
		time.Sleep(time.Second)

		var lock sm.Lock
		w.read("ledger/lock.json", &lock)
		lock.Holder.Execution, lock.Holder.Since = lock.Holder.Execution+
			"-nobody", time.Now().Add(-time.Hour)
		data, _ := json.Marshal(lock)
		w.put("ledger/lock.json", data)
		w.repaired("which does not exist")
		w.ends("v2", sm.RolledBack)
		w.quiet()
		w.stands("a", "v1", "v1")
	})
}

// A merge that lost its place waits for a call that nobody would ever make. It is found also while
// a release is under way, which goes on; its own end is recorded.
func TestRepair_RunsWithoutLockOrPlace(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPause)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(3 * w.stack.Settings.Sweep.Std())
		w.quiet()

		var lock sm.Lock
		w.read("ledger/lock.json", &lock)

		if len(lock.Queue) != 1 {
			t.Fatalf("found %+v, expected v3 to wait", lock)
		}

		lock.Queue = nil
		data, _ := json.Marshal(lock)
		w.put("ledger/lock.json", data)
		w.repaired("and neither has the lease nor waits for it")
		w.ends("v3", sm.Refused)
		w.quiet()
		w.operator(sm.SignalResume)
		w.ends("v2", sm.Released)
		w.quiet()
	})
}

// A merge that was called from the queue has no place there any more, and not yet the lock: that
// is no stray.
func TestRepair_AsAMergeIsCalled(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPause)
		w.merge(w.release("v3", 3, everything))
		time.Sleep(time.Hour)
		w.operator(sm.SignalResume)
		w.before(sm.Finish, func() { w.before(sm.Begin, func() { w.asks(false) }) })
		w.ends("v2", sm.Released)
		w.ends("v3", sm.Released)
		w.quiet()
		w.stands("a", "v3", "v2")
	})
}

// A merge that a freeze keeps from beginning is no finding, nor is its clock; and where that rings
// while repair holds the lock, the merge is called afterwards: of the end of the freeze it hears
// nothing.
func TestRepair_InAFreeze(t *testing.T) {
	for name, takes := range map[string]time.Duration{"quickly": 0,
		"while the clock rings": 13 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.ends("v2", sm.Released)

				if err := w.stack.Cloud.Events.PutRule(events.Rule{Name: "lockstep-shop-freeze", Disabled: true,
					Pattern: `{"source":["aws.ssm"]}`}); err != nil {
					t.Fatal(err)
				}

				w.freeze("holidays")
				w.merge(w.release("v3", 3, everything))
				time.Sleep(time.Hour)
				w.quiet()

				if err := w.stack.Cloud.S3.Put("shop-site-a", "index.html",
					locals3.Object{Body: []byte("not ours")}); err != nil {
					t.Fatal(err)
				}

				// v3 is there all the time
				w.stalls(sm.Begin, "PutObject", "/shop-site-a/assets/app-v1.js", takes)
				w.repaired("index.html is missing or was overwritten")
				time.Sleep(time.Hour)
				w.freeze("off")
				w.ends("v3", sm.Released)
				w.stands("a", "v3", "v2")
			})
		})
	}
}

// What takes longer than a sweep, as a site of thousands of files does, keeps its lock until it is
// done.
func TestRepair_TakesLong(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.ends("v2", sm.Released)

		if err := w.stack.Cloud.S3.Put("shop-site-a", "index.html",
			locals3.Object{Body: []byte("not ours")}); err != nil {
			t.Fatal(err)
		}

		var slow atomic.Bool

		w.stack.Cloud.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut && r.URL.Path == "/shop-site-a/assets/app-v1.js" &&
					!slow.Swap(true) {
					w.merge(w.release("v3", 3, everything)) // waits for it
					time.Sleep(12 * time.Minute)
				}

				next.ServeHTTP(rw, r)
			})
		})
		w.repaired("index.html is missing or was overwritten")
		w.ends("v3", sm.Released)
		w.quiet()
		w.stands("a", "v3", "v2")
	})
}

// Somebody ran a migration by hand that a rollback had undone.
func TestRepair_Schema(t *testing.T) {
	storyWithDatabase(t, func(w *world, customers func() string) {
		second := everything
		second.migrations = splitsNames
		w.merge(w.release("v2", 2, second))
		w.bakes("v2", 500)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.quiet()

		for _, statement := range []string{
			"alter table customers add column first_name text",
			"insert into lockstep_expand (version_id, is_applied) values (2, true)",
			"insert into lockstep_journal (phase, version, file, body, release) values ('expand', 2, 'expand/00002_split.sql', '" +
				strings.ReplaceAll(splitsNames["expand/00002_split.sql"], "'", "''") + "', 'v2')",
		} {
			if _, err := w.db.Exec(statement); err != nil {
				w.t.Fatal(err)
			}
		}

		w.repaired("the schema is still expanded for v2, which is not live")
		w.quiet()

		if got := customers(); got != before {
			w.t.Errorf("customers: found %s, expected %s", got, before)
		}

		w.stands("a", "v1", "v1")
	})
}

// After a first release nothing was ever in the other environment: that is no fault.
func TestDoctor_AfterTheFirstRelease_FindsNothing(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.quiet()

		if d := w.asks(false); len(d.Findings) > 0 {
			w.t.Errorf("repair found %+v", d.Findings)
		}

		w.second()
		w.ends("v2", sm.Released)
		w.quiet()
	})
}

// A repair that dies leaves the lock with a dead one, as a release would: the sweep hands it on,
// and the next merge goes up. It moves nobody: what is left to mend the doctor finds.
func TestRepair_Dies_AndHoldsNobodyUp(t *testing.T) {
	died := true
	for n := int64(1); died; n++ {
		t.Run(fmt.Sprint("at its write ", n), func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.ends("v2", sm.Released)

				if err := w.stack.Cloud.Lambda.Alias("shop-orders", "a", "1"); err != nil {
					w.t.Fatal(err)
				}

				if err := w.stack.Cloud.S3.Put("shop-site-a", "index.html",
					locals3.Object{Body: []byte("not ours")}); err != nil {
					w.t.Fatal(err)
				}

				d := w.dies(sm.Repair, n, manner{before: true})
				_, _, _ = w.stack.Cloud.Lambda.Invoke(w.t.Context(), sm.LambdaName(app, sm.Repair),
					[]byte("{}"))

				if died = d.dead.Load(); !died {
					return // it makes fewer writes
				}

				time.Sleep(3 * w.stack.Settings.Sweep.Std())
				w.merge(w.release("v3", 3, everything))
				w.ends("v3", sm.Released)
				w.stands("a", "v3", "v2")
			})
		})

		if n == 1 && !died {
			t.Fatal("it wrote nothing")
		}
	}
}

// A lock that is lost again has a newer fence than repair had meanwhile, or repair would shut
// itself out.
func TestRepair_ALockThatIsLostAgain(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()

		loses := func() {
			w.put("ledger/lock.json", []byte("{"))
			w.repaired("ledger/lock.json")
		}
		moves := func() {
			w.put("ledger/environments/a.json", []byte("{"))
			w.repaired("ledger/environments/a.json")
		}

		loses()
		moves()
		moves()
		loses()
		moves()
		w.quiet()
		w.second()
		w.ends("v2", sm.Released)
	})
}
