package step_test

import (
	"testing"
	"testing/synctest"

	sm "lockstep/statemachine"
)

// A record that was deleted with every version of it says nothing of what was done: no step goes on, and
// nothing is written.
func TestEnter_WithoutARecord(t *testing.T) {
	for _, task := range []sm.Task{sm.Sync, sm.Ramp, sm.Contract} {
		t.Run(string(task), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(task)

				delete(w.objects, sm.RecordKey("v2"))
				delete(w.tags, sm.RecordKey("v2"))

				if _, err := w.book().Enter(t.Context(), doc, task); !sm.IsCorrupt(err) {
					t.Errorf("found %v, expected that the record is missing", err)
				}

				if data := w.objects[sm.RecordKey("v2")]; data != nil {
					t.Errorf("found the record %s, expected none", data)
				}
			})
		})
	}
}
