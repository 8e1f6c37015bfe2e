package step_test

import (
	"testing"
	"testing/synctest"

	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// preview is the hash of the secret that the record of v2 keeps, as the edge gets it.
func (w *world) preview() string {
	return routing.Ramp(sm.Document{}, 0, sm.Record{Preview: w.record("v2").Preview}).Preview
}

func TestDeploy_OpensThePreview(t *testing.T) {
	w := newWorld(t)
	doc := w.release(sm.Deploy)
	must[sm.Document](t)(w.run(sm.Deploy, doc))

	// printf let-me-see | sha256sum
	const hash = "4ac364c86d9de58c82b1d75391b198a647ce9a107146a99b29426dc5dfe1c672"
	if w.record("v2").Preview != "let-me-see" ||
		w.route != (sm.Route{Active: sm.A, Fallback: sm.B, Release: "v2", Preview: hash}) {
		t.Errorf("the secret is %q, the route %+v", w.record("v2").Preview, w.route)
	}
	// Testers come last: until then there is nothing to see.
	order(t, w.writes, "put a index.html", "stage a a v2", "route a 0", "announce")
}

// A Deploy that was given up comes back when its second attempt has long gone on to the ramp.
func TestDeploy_ComesBackLate_TakesNobodyOffTheRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		doc := w.release(sm.Deploy)
		w.meanwhile = func(write string) {
			if write == "stage a a v2" { // the last but one of what Deploy writes
				w.meanwhile = nil
				w.change(func(r *sm.Record) { r.State, r.Weight = sm.Ramp, 500 })
				w.route = sm.Route{Active: sm.A, Fallback: sm.B, Weight: 500, Release: "v2"}
			}
		}

		_, err := w.run(sm.Deploy, doc)
		if named(t, err, sm.LockLost, "it is in Ramp by now"); w.route.Weight != 500 {
			t.Errorf("the weight is %d", w.route.Weight)
		}
	})
}

func TestPreview_ClosesWithTheRelease(t *testing.T) {
	for task, at := range map[sm.Task]sm.Task{sm.Promote: sm.Promote, sm.Rollback: sm.CheckAlarms} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)

			doc := w.release(at)
			if w.record("v2").Preview == "" || w.route.Preview == "" {
				t.Fatalf("%s: the preview was not open: %+v", task, w.route)
			}

			doc.Failure = &sm.Failure{Error: sm.AlarmBreached, Cause: "errors-a"}
			must[sm.Document](t)(w.run(task, doc))

			if w.record("v2").Preview != "" || w.route.Preview != "" {
				t.Errorf("%s left the preview open: %+v", task, w.route)
			}
		})
	}
}
