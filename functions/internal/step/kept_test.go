package step_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// A release under way goes on with the steps of before while Signal, and the merges that wait, are
// of an upgrade already: what those wrote and these do not know is there after these have written,
// and that of another release is not.
func TestUpdate_KeepsWhatANewerVersionWrote(t *testing.T) {
	for name, c := range map[string]struct {
		key, before  string
		change       func(w *world) error
		holds, lacks []string
	}{
		"of the record": {sm.RecordKey("v2"),
			`{"release":"v2","execution":"x","fence":9007199254740993,"signals":[{"id":"1","kind":"alarm","reason":"r","at":"2000-01-01T00:00:00Z","severity":"high"}],"wait":{"taskToken":"t","until":"2000-01-01T00:00:00Z","patience":"1m"},"colour":{"of":"v2"}}`,
			func(w *world) error {
				_, err := ledger.Update(w.t.Context(), objectStore{w}, sm.RecordKey("v2"),
					func(r *sm.Record) error {
						r.State, r.Signals = sm.Ramp, append(r.Signals,
							sm.ReceivedSignal{ID: "2", Kind: sm.SignalPause})

						return nil
					})

				return err
			},
			[]string{`"severity":"high"`, `"patience":"1m"`, `"colour":{"of":"v2"}`, `"state":"Ramp"`,
				`"id":"2"`, `9007199254740993`}, nil},
		"of a wait that is over": {sm.RecordKey("v2"),
			`{"release":"v2","execution":"x","wait":{"taskToken":"t","patience":"1m"}}`,
			func(w *world) error {
				_, err := ledger.Update(w.t.Context(), objectStore{w}, sm.RecordKey("v2"),
					func(r *sm.Record) error { r.Wait = nil; return nil })

				return err
			}, nil, []string{"patience"}},
		"of an attempt that is over": {sm.RecordKey("v2"),
			`{"release":"v2","execution":"x","colour":"red"}`,
			func(w *world) error {
				_, err := ledger.Update(w.t.Context(), objectStore{w}, sm.RecordKey("v2"),
					func(r *sm.Record) error { *r = sm.Record{Release: "v2", Execution: "y"}; return nil })

				return err
			}, nil, []string{"colour"}},
		"of who waits": {sm.LockKey,
			`{"fence":3,"holder":{"release":"v2","execution":"x","mood":"calm"},"queue":[{"release":"v3","execution":"y","urgency":"low"},{"release":"v4","execution":"z","urgency":"high"}]}`,
			func(w *world) error {
				_, err := ledger.Update(w.t.Context(), objectStore{w}, sm.LockKey, func(l *sm.Lock) error {
					l.Holder, l.Queue = &sm.Holder{Release: "v3", Execution: "y"}, l.Queue[1:]
					return nil
				})

				return err
			}, []string{`"urgency":"high"`}, []string{`"urgency":"low"`, "mood"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.store(c.key, json.RawMessage(c.before))

				if err := c.change(w); err != nil {
					t.Fatal(err)
				}

				got := string(w.objects[c.key])
				for _, part := range c.holds {
					if !strings.Contains(got, part) {
						t.Errorf("%s is lost: %s", part, got)
					}
				}

				for _, part := range c.lacks {
					if strings.Contains(got, part) {
						t.Errorf("%s is left: %s", part, got)
					}
				}
			})
		})
	}
}
