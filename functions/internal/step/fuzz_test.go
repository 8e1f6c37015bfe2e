package step_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

// What rules of the bus bring can be anything that somebody puts there. Whatever it is, a Signal
// writes only to the release under way and its schedule, and one that it refuses changes nothing.
func FuzzSignal(f *testing.F) {
	f.Add("CloudWatch Alarm State Change", `{"alarmName":"errors-a","state":{"value":"ALARM","reason":"too many"}}`)
	f.Add("CloudWatch Alarm State Change", `{"alarmName":"errors-a","state":{"value":"OK"}}`)
	f.Add("CloudWatch Alarm State Change", `{"alarmName":["errors-a"],"state":"ALARM"}`)

	for _, action := range []string{"pause", "resume", "advance", "promote", "rollback", "explode"} {
		f.Add(sm.DetailOperator, `{"app":"shop","action":"`+action+`","reason":"why not"}`)
	}

	f.Add(sm.DetailOperator, `{"app":"shop","release":"v3","action":"rollback"}`)
	f.Add("Release Merged", `null`)
	f.Fuzz(func(t *testing.T, detailType, detail string) {
		w := light(t)
		w.release(sm.CheckAlarms)
		before := w.state()

		_, err := (&step.Signal{Ledger: w.book(), Settings: w.settings, Answers: answers{w},
			Schedules: schedules{w}}).
			Run(t.Context(), machine.Event{ID: "1", DetailType: detailType, Time: time.Now(),
				Detail: json.RawMessage(detail)})
		for _, write := range w.writes {
			verb, of, _ := strings.Cut(write, " ")
			if !slices.Contains([]string{"announce", "succeed", "fail", "schedule", "cancel"}, verb) &&
				of != sm.RecordKey("v2") {
				t.Errorf("wrote %q", write)
			}
		}

		if err != nil && w.state() != before {
			t.Errorf("refused, %v, and changed%s", err, difference(w.state(), before))
		}

		if strings.HasPrefix(w.answers["ramp"], "fail ") && !strings.Contains(detail, "rollback") &&
			!strings.Contains(detail, "ALARM") && !strings.Contains(detail, `\u`) {
			t.Errorf("stopped the ramp for %s", detail)
		}
	})
}

// The status of an execution decides who recovers what: only that of the holder of the lock starts
// anything.
func FuzzRecover(f *testing.F) {
	f.Add(`{"executionArn":"arn:exec:v2","status":"ABORTED"}`)
	f.Add(`{"executionArn":"arn:exec:v2","status":"FAILED","error":"RollbackFailed"}`)
	f.Add(`{"executionArn":"arn:exec:v7","status":"TIMED_OUT","input":"{\"release\":\"v2\",\"recover\":\"arn:exec:v2\"}"}`)
	f.Add(`{"executionArn":"arn:exec:v3","status":"FAILED","input":"{"}`)
	f.Add(`{"executionArn":"arn:exec:v2","status":"SUCCEEDED"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, detail string) {
		w := light(t)
		w.release(sm.CheckAlarms)

		_, _ = w.hears(json.RawMessage(detail))
		if len(w.executions) > 0 && !strings.Contains(detail, two) && !strings.Contains(detail, `\u`) {
			t.Errorf("started %v for %s", w.executions, detail)
		}

		if lock := w.lock(); lock.Holder == nil || lock.Holder.Execution != two || lock.Fence != 2 {
			t.Errorf("the lock is %+v after %s", lock, detail)
		}
	})
}

// Whatever lies where the ledger's objects should: no step dies of it, none writes over what it
// can't read, and none goes on without the lock.
func FuzzSteps_Ledger(f *testing.F) {
	for _, object := range []string{
		`{"fence":2,"holder":{"release":"v2","execution":"arn:exec:v2","fence":2}}`, `{"fence":3}`, `{"fence":-1,"queue":[{}]}`, `null`, `{`, ``,
		`{"release":"v2","fence":2,"execution":"arn:exec:v2","wait":{"taskToken":"x","document":{}},"signals":[{"kind":"promote"}]}`,
		`{"release":"v2","fence":9}`, `{"environment":"a","site":{}}`, `{"environment":"b","functions":{"catalog":{"version":"1"}}}`,
	} {
		for which := range byte(4) {
			f.Add(which, object)
		}
	}

	f.Fuzz(func(t *testing.T, which byte, object string) {
		synctest.Test(t, func(t *testing.T) { // a rollback may wait
			w := light(t)
			doc := w.release(sm.Deploy)
			key := []string{sm.LockKey, sm.RecordKey("v2"), sm.EnvironmentKey(sm.A),
				sm.EnvironmentKey(sm.B)}[which%4]
			w.objects[key], w.tags[key] = json.RawMessage(object), w.tags[key]+1

			for _, task := range []sm.Task{sm.Sync, sm.Deploy, sm.Expand, sm.Ramp, sm.Promote, sm.Contract,
				sm.Rollback} {
				held := false

				var lock sm.Lock
				if json.Unmarshal(w.objects[sm.LockKey], &lock) == nil {
					held = lock.Holder != nil && lock.Holder.Execution == two && lock.Fence == doc.Fence
				}

				w.revive()

				_, _ = w.run(task, doc)
				if !held && len(w.writes) > 0 {
					t.Errorf("%s wrote %q without the lock", task, w.writes)
				}
			}

			_, _ = w.begin("arn:exec:v3", "another", `{"release":"v3"}`)
			_, _ = w.alarm("1", "errors-a", "ALARM")
			_, _ = w.died(two, "ABORTED", "")

			var into any
			if json.Unmarshal([]byte(object), &into) != nil && string(w.objects[key]) != object {
				t.Errorf("%s, which nobody can read, was written over: %s", key, w.objects[key])
			}
		})
	})
}

func (w *world) hears(detail json.RawMessage) (recovery.Report, error) {
	return w.recoverer().Run(w.t.Context(), machine.Event{ID: "1", Detail: detail})
}

// light is a world whose releases have no migrations: to read those takes longer than all the rest.
func light(t testing.TB) *world {
	w := newWorld(t)
	for i, id := range []string{"v2", "v3"} {
		w.upload(id, int64(i+2), func(m *sm.Manifest) { m.Migrations = nil })
	}

	return w
}
