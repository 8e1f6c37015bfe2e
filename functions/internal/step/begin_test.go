package step_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"lockstep/functions/internal/recovery"
	sm "lockstep/statemachine"
)

const typed = `{"release":"v2"}`

func TestBegin_TakesTheLock(t *testing.T) {
	virtual(t, map[string]func(t *testing.T){
		"of a release": func(t *testing.T) {
			w := newWorld(t)
			w.ringing = []string{"errors-b", "blog-errors"}
			must[sm.Document](t)(w.begin(two, "begin", typed))

			doc := w.answered("begin")
			if doc.Next != sm.NextSync || doc.Release != "v2" || doc.Sequence != 2 || doc.Fence != 2 ||
				doc.Active != sm.A || doc.Fallback != sm.B || doc.First {
				t.Errorf("found the document %+v", doc)
			}

			if lock := w.lock(); lock.Fence != 2 || lock.Holder.Execution != two ||
				lock.Holder.Release != "v2" {
				t.Errorf("found the lock %+v", lock)
			}

			if r := w.record("v2"); r.Execution != two || r.Fence != 2 || r.Run != 1 ||
				len(r.MutedAlarms) != 1 || r.MutedAlarms[0] != "errors-b" {
				t.Errorf("found the record %+v", r)
			}

			order(t, w.writes, "ledger ledger/lock.json", "ledger ledger/releases/v2.json", "announce",
				"succeed begin")
		},
		"of the newest": func(t *testing.T) {
			w := newWorld(t)
			must[sm.Document](t)(w.begin(two, "begin", `{}`))

			if doc := w.answered("begin"); doc.Release != "v3" {
				t.Errorf("found %s", doc.Release)
			}
		},
		"of the newest, killed, and a newer one came meanwhile": func(t *testing.T) {
			w := newWorld(t)
			w.just("announce", func() { w.dead = true })

			if _, err := w.begin(two, "begin", `{}`); err == nil {
				t.Fatal("not killed")
			}

			w.revive()
			w.upload("v4", 4, nil)
			must[sm.Document](t)(w.begin(two, "begin", `{}`))

			if doc := w.answered("begin"); doc.Release != "v3" || w.lock().Holder.Release != "v3" {
				t.Errorf("it began %s under the lock of %s", doc.Release, w.lock().Holder.Release)
			}
		},
		"of the newest, which waited, and a newer one came meanwhile": func(t *testing.T) {
			w := parked(t)
			must[sm.Document](t)(w.begin("arn:three", "waits", `{}`)) // for v3
			w.upload("v4", 4, nil)
			must[sm.Document](t)(w.begin("arn:three", "waits", `{}`)) // its answer was lost

			if waiting := w.waiting(); !slices.Equal(waiting, []string{"v3"}) {
				t.Errorf("%v wait", waiting)
			}

			w.free()

			if err := w.settle(); err != nil {
				t.Fatal(err)
			}

			must[sm.Document](t)(w.begin("arn:three", "begin", `{}`))

			if doc := w.answered("begin"); doc.Release != "v3" || w.lock().Holder.Release != "v3" {
				t.Errorf("it began %s under the lock of %s", doc.Release, w.lock().Holder.Release)
			}
		},
		"of the first release": func(t *testing.T) {
			w := newWorld(t)
			w.store(sm.EnvironmentKey(sm.B), sm.EnvironmentState{Environment: sm.B})
			must[sm.Document](t)(w.begin(two, "begin", typed))

			if doc := w.answered("begin"); !doc.First {
				t.Errorf("found %+v", doc)
			}
		},
		"of what was rolled back, by somebody's will": func(t *testing.T) {
			w := newWorld(t)
			w.change(func(r *sm.Record) {
				*r = sm.Record{Execution: one, Run: 1, Outcome: sm.RolledBack,
					Signals: []sm.ReceivedSignal{{ID: "old"}}}
			})
			must[sm.Document](t)(w.begin(two, "begin", typed))

			if r := w.record("v2"); r.Run != 2 || r.Outcome != "" || r.Signals != nil {
				t.Errorf("found the record %+v", r)
			}
		},
		"of what was refused, when it is merged again": func(t *testing.T) {
			w := newWorld(t)
			w.change(func(r *sm.Record) { *r = sm.Record{Execution: one, Outcome: sm.Refused} })
			must[sm.Document](t)(w.begin(two, "begin", merged))

			if doc := w.answered("begin"); doc.Next != sm.NextSync {
				t.Errorf("found %+v", doc)
			}
		},
	})
}

const merged = `{"detail-type":"Release Merged","source":"lockstep.ci","detail":{"app":"shop","release":"v2","sequence":2}}`

func TestBegin_Refuses(t *testing.T) {
	const file = "releases/v2/release.json: "

	held := func(holder sm.Holder, queue ...sm.QueueEntry) func(*world) {
		return func(w *world) { w.store(sm.LockKey, sm.Lock{Fence: 5, Holder: &holder, Queue: queue}) }
	}

	spoiled := func(spoil func(*sm.Manifest)) func(*world) {
		return func(w *world) { w.upload("v2", 2, spoil) }
	}
	for name, c := range map[string]struct {
		world func(*world)
		event string
		says  string
	}{
		"a number": {event: `7`, says: "execution input: found 7, expected a JSON object"},
		"another field": {event: `{"version":"v2"}`,
			says: "execution input: version: found a field that is not known"},
		"no such release":     {event: `{"release":"v9"}`, says: "read releases/v9/release.json: "},
		"another sequence":    {event: `{"detail-type":"Release Merged","source":"lockstep.ci","detail":{"app":"shop","release":"v2","sequence":7}}`, says: file + "sequence: found 2, but the merge event says 7"},
		"not JSON":            {world: func(w *world) { w.bundles[sm.ManifestKey("v2")] = []byte("{\n,}") }, says: file + "line 2: not JSON"},
		"another's manifest":  {world: func(w *world) { w.bundles[sm.ManifestKey("v2")] = w.bundles[sm.ManifestKey("v3")] }, says: file + `release: found "v3", expected "v2" as its folder says`},
		"an unknown function": {world: spoiled(func(m *sm.Manifest) { m.Functions["cart"] = m.Functions["orders"] }), says: file + "functions.cart: not a function of shop, which has catalog, orders"},
		"no database": {world: func(w *world) { w.settings.Database = nil }, says: file +
			"migrations: found some, but shop has no database"},
		"a missing object": {world: func(w *world) { delete(w.bundles, "releases/v2/orders.zip") },
			says: file + "functions.orders.object: releases/v2/orders.zip: no such object"},
		"a wrong digest": {world: func(w *world) { w.bundles["releases/v2/site.zip"] = w.bundles["releases/v3/site.zip"] }, says: file + "site: site.zip: found SHA-256"},
		"no zip": {world: func(w *world) { w.corrupt("migrations.zip", []byte("hello")) },
			says: file + "migrations: migrations.zip: not a zip file"},
		"a zip that climbs": {world: func(w *world) {
			data,
				_ := pack(w.t, map[string]string{"../x": ""})
			w.corrupt("site.zip", data)
		}, says: file + `site: site.zip: "../x": found a path that leaves its folder`},
		"older than live": {world: func(w *world) { w.live("v7", 7) }, says: file +
			"sequence: found 2, expected more than 7, which is live as v7"},
		"the sequence of live": {world: func(w *world) { w.live("v7", 2) }, says: file +
			"sequence: found 2, which v7 has already"},
		"live already": {world: func(w *world) { w.live("v2", 2) },
			says: "release v2 is live already: nothing to do"},
		"under way already": {world: held(sm.Holder{Release: "v2", Execution: one}),
			says: "release v2 is under way already, in " + one},
		"waiting already": {world: held(sm.Holder{Release: "v1", Execution: one},
			sm.QueueEntry{Release: "v2", Execution: "arn:other"}), says: "release v2 waits in the queue already, in arn:other"},
		"about to end": {world: func(w *world) {
			w.store(sm.LockKey, sm.Lock{Fence: 5, Notified: []sm.QueueEntry{{Release: "v2",
				Execution: "arn:other"}}})
		}, says: "release v2 waits in the queue already, in arn:other"},
		"merged again after a rollback": {world: func(w *world) { w.change(func(r *sm.Record) { r.Execution, r.Outcome = one, sm.RolledBack }) },
			event: merged, says: `release v2 was rolled back before; to try it again: aws stepfunctions start-execution --state-machine-arn `},
		"recovering nobody": {event: `{"release":"v2","recover":"arn:dead"}`,
			says: "recover arn:dead: it is not the lease holder"},
		"recovering another's": {world: held(sm.Holder{Release: "v2", Execution: one}),
			event: `{"release":"v2","recover":"arn:dead"}`, says: "recover arn:dead: it is not the lease holder"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.world != nil {
				c.world(w)
			}

			if c.event == "" {
				c.event = typed
			}

			before := w.state()
			_, err := w.begin(two, "begin", c.event)
			named(t, err, sm.InvalidRelease, c.says)

			if after := w.state(); after != before || len(w.writes) > 0 {
				t.Errorf("wrote %q: %s", w.writes, difference(after, before))
			}
		})
	}
}

// corrupt puts other bytes where v2 has an artifact, with their right digest.
func (w *world) corrupt(object string, data []byte) {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])

	w.upload("v2", 2, func(m *sm.Manifest) {
		switch object {
		case "site.zip":
			m.Site.SHA256 = digest
		case "migrations.zip":
			m.Migrations.SHA256 = digest
		}
	})
	w.bundles["releases/v2/"+object] = data
}

// live has a release in the fallback.
func (w *world) live(id string, sequence int64) {
	w.store(sm.EnvironmentKey(sm.B), sm.EnvironmentState{Environment: sm.B, InSync: true, Release: id,
		Sequence: sequence})
}

func TestBegin_TakesOver(t *testing.T) {
	const (
		recover = `{"release":"v2","recover":"` + two + `"}`
		again   = "arn:exec:again"
	)

	virtual(t, map[string]func(t *testing.T){
		"before contract, and goes back": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)
			must[sm.Document](t)(w.begin(again, "again", recover))

			doc := w.answered("again")
			if doc.Next != sm.NextRollback || doc.Fence != 3 || doc.Active != sm.A || doc.Weight != 500 ||
				doc.Failure.Error != "ExecutionDied" {
				t.Errorf("found %+v", doc)
			}

			if lock := w.lock(); lock.Holder.Execution != again || lock.Fence != 3 {
				t.Errorf("found the lock %+v", lock)
			}
		},
		"from contract on, and goes forward": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.Finish)
			must[sm.Document](t)(w.begin(again, "again", recover))

			if doc := w.answered("again"); doc.Next != sm.NextContract || doc.Failure != nil {
				t.Errorf("found %+v", doc)
			}
		},
		"while a stale Contract passes the point of no return": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.Contract)
			w.just("ledger ledger/releases/v2.json", func() {
				w.change(
					func(r *sm.Record) { r.Contracted = true })
			})
			must[sm.Document](t)(w.begin(again, "again", recover))

			if doc := w.answered("again"); doc.Next != sm.NextContract {
				t.Errorf("goes on with %s", doc.Next)
			}
		},
		"from who died before it began": func(t *testing.T) {
			w := newWorld(t)
			w.just("ledger ledger/releases/v2.json", func() { w.dead = true })

			if _, err := w.begin(two, "begin", typed); err == nil {
				t.Fatal("not killed")
			}

			w.revive()
			must[sm.Document](t)(w.begin(again, "again", recover))

			if doc := w.answered("again"); doc.Next != sm.NextFinish || doc.Outcome != sm.Refused {
				t.Errorf("found %+v", doc)
			}
		},
		// The roles were swapped since: to go back by the record of the earlier attempt would swap them
		// again.
		"from who died before its second attempt began": func(t *testing.T) {
			w := newWorld(t)
			w.change(func(r *sm.Record) {
				*r = sm.Record{Release: "v2", Execution: one, Fence: 1, Active: sm.B, Fallback: sm.A,
					Outcome: sm.RolledBack}
			})
			w.just("ledger ledger/releases/v2.json", func() { w.dead = true })

			if _, err := w.begin(two, "begin", typed); err == nil {
				t.Fatal("not killed")
			}

			w.revive()
			must[recovery.Report](t)(w.died(two, "ABORTED", ""))
			must[sm.Document](t)(w.begin(again, "again", recover))

			if doc := w.answered("again"); doc.Next != sm.NextFinish || doc.Outcome != sm.Refused {
				t.Errorf("found %+v", doc)
			}
		},
		"from a recovery that died before it could write": func(t *testing.T) {
			w := newWorld(t)
			w.release(sm.CheckAlarms)
			w.just("ledger ledger/releases/v2.json", func() { w.dead = true })

			if _, err := w.begin(again, "again", recover); err == nil {
				t.Fatal("not killed")
			}

			w.revive()
			must[sm.Document](t)(w.begin("arn:third", "third", `{"release":"v2","recover":"`+again+`"}`))

			if doc := w.answered("third"); doc.Next != sm.NextRollback || doc.Active != sm.A ||
				doc.Fence != 4 {
				t.Errorf("found %+v", doc)
			}
		},
	})
}
