package step_test

import (
	"testing"
	"testing/synctest"
	"time"

	sm "lockstep/statemachine"
)

// Where the record is gone and an earlier call may have passed the point of no return, no alarm
// takes the release back.
func TestEnter_ContractWithoutARecord(t *testing.T) {
	entered := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		asked  sm.Attempt
		next   sm.Next
		passed bool
	}{
		"for the first time": {sm.Attempt{Entered: entered}, sm.NextSync, false},
		"again":              {sm.Attempt{Entered: entered, Retry: 1}, sm.NextSync, true},
		"taken over":         {sm.Attempt{Entered: entered}, sm.NextContract, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				doc := w.release(sm.Contract)
				doc.Attempt, doc.Next = c.asked, c.next

				delete(w.objects, sm.RecordKey("v2"))
				delete(w.tags, sm.RecordKey("v2"))

				record, err := w.book().Enter(t.Context(), doc, sm.Contract)
				if err != nil || record.Contracted != c.passed || !record.StaleWriter ||
					len(record.Signals) > 0 {
					t.Errorf("found %+v, %v", record, err)
				}
			})
		})
	}
}
