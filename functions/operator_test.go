package functions_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

func TestOperator_PausesAndResumes(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		time.Sleep(30 * time.Second)
		w.operator(sm.SignalPause)
		time.Sleep(time.Hour)

		if got := w.route().Weight; got != 500 || len(w.stack.Cloud.Scheduler.List()) > 0 {
			t.Errorf("paused, the weight became %d, with %d schedules", got,
				len(w.stack.Cloud.Scheduler.List()))
		}

		resumed := time.Now()

		w.operator(sm.SignalResume)
		w.bakes("v2", 2500)

		if left := time.Since(resumed); left < 85*time.Second || left > 95*time.Second {
			t.Errorf("the bake went on for %s, expected the 90 s that were left", left)
		}

		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

func TestOperator_PausesBetweenSteps(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.before(sm.Deploy, func() { w.operator(sm.SignalPause) })
		w.second()
		w.holds("v2", sm.HeldByOperator, 0)
		time.Sleep(time.Hour)
		w.holds("v2", sm.HeldByOperator, 0)
		w.operator(sm.SignalResume)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+held+strings.TrimPrefix(good, deployed))
		w.stands("b", "v1", "v2")
	})
}

func TestOperator_Advances(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalAdvance)
		time.Sleep(2 * time.Second)
		w.bakes("v2", 2500)

		if took := time.Since(w.record("v2").Began); took > 30*time.Second {
			t.Errorf("25 %% came after %s", took)
		}

		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

func TestOperator_Promotes(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPromote)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+baked+baked+ended)
		w.weighed("v2", 500, 10000, 0)
		w.stands("b", "v1", "v2")
	})
}

// Also what the operator promotes is rolled back if an alarm rings.
func TestOperator_PromotesWhatBreaks(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 500)
		w.breaks("v2", "orders")
		w.operator(sm.SignalPromote)
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
	})
}

func TestOperator_RollsBack(t *testing.T) {
	for name, when := range map[string]struct {
		moment func(w *world, word func())
		way    string
	}{
		"in a bake": {func(w *world, word func()) { w.second(); w.bakes("v2", 2500); word() }, deployed +
			baked + "Ramp"},
		"while paused": {func(w *world, word func()) {
			w.second()
			w.bakes("v2", 500)
			w.operator(sm.SignalPause)
			time.Sleep(time.Hour)
			word()
		}, deployed + "Ramp"},
		"before deploy": {func(w *world, word func()) { w.before(sm.Deploy, word); w.second() },
			deployed + "Ramp"},
		"between two steps of the ramp": {func(w *world, word func()) {
			w.second()
			w.bakes("v2", 500)
			w.before(sm.CheckAlarms, word)
		}, deployed + "Ramp CheckAlarms"},
		"after the verdict": {func(w *world, word func()) {
			w.second()
			w.bakes("v2", 500)
			w.after(sm.CheckAlarms, word)
		}, deployed + baked + "Ramp"},
		"after the promotion": {func(w *world, word func()) {
			w.second()
			w.after(sm.Promote, word)
		}, deployed + baked + baked + baked + "Promote Drain"},
		"when the drain is over": {func(w *world, word func()) {
			w.second()
			w.before(sm.Contract, word)
		}, deployed + baked + baked + baked + "Promote Drain Contract"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				when.moment(w, func() {
					w.operator(sm.SignalRollback)
					time.Sleep(time.Second)
				})
				w.ends("v2", sm.RolledBack)
				w.took("v2", when.way+undone)
				w.stands("a", "v1", "v1")
			})
		})
	}
}

// A word that names another release, or comes while nothing is under way, changes nothing.
func TestOperator_SpeaksOfAnother(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.operator(sm.SignalRollback)
		time.Sleep(time.Second)
		w.second()
		w.bakes("v2", 500)
		w.putEvent(sm.SourceOperator, sm.DetailOperator,
			sm.Operator{App: app, Release: "v1", Action: sm.SignalRollback})
		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

// Without viewers there is no verdict.
func TestSilence_HoldsForTheOperator(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.second()
		time.Sleep(time.Hour)

		if r := w.record("v2"); r.Weight != 500 || r.Wait == nil || r.Wait.Paused == nil ||
			r.Held == nil || r.Held.By != sm.HeldByVerdict || len(w.stack.Cloud.Scheduler.List()) > 0 {
			t.Errorf("after an hour: %+v", r)
		}

		w.operator(sm.SignalPromote)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+baked+baked+baked+baked+baked+ended)
		w.weighed("v2", 500, 10000, 0)
		w.stands("b", "v1", "v2")
	})
}

// Whoever lets it go on lets it go one step; the next silence is held as well.
func TestSilence_HeldAgainAfterAdvance(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.second()
		time.Sleep(time.Hour)
		w.operator(sm.SignalAdvance)
		time.Sleep(time.Hour)
		w.weighed("v2", 500, 2500)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
	})
}

func TestSilence_RollsBackWhereToldTo(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.Released)
		w.second()
		w.ends("v2", sm.RolledBack)
		w.took("v2", deployed+baked+baked+baked+"Ramp"+undone)
		w.weighed("v2", 500, 0)
		w.stands("a", "v1", "v1")
	}, func(o *stack.Options) { o.Ramp.OnInconclusive = sm.RollBackUnsure })
}

// The alarm clock rings once more, or late: the task was decided before.
func TestSchedule_LateAndTwice(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		clock := w.clock().Target.Input
		w.operator(sm.SignalAdvance)
		time.Sleep(2 * time.Second)
		w.bakes("v2", 2500)
		w.rings(clock)
		w.bakes("v2", 2500)
		clock = w.clock().Target.Input
		w.bakes("v2", 10000)
		w.rings(clock)
		w.rings(clock)
		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.weighed("v2", 500, 2500, 10000, 0)
		w.stands("b", "v1", "v2")
	})
}
