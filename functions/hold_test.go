package functions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// Stories begin on Saturday, 1 January 2000, at midnight in Greenwich.

const (
	held   = "Ramp "             // it asked whether it may grow, and waited
	looked = "Ramp CheckAlarms " // it may, and looks at the metrics again first
)

func windows(w ...sm.Window) setting { return func(o *stack.Options) { o.Windows = w } }

var (
	officeHours = sm.Window{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00",
		To: "17:00", Zone: "Europe/Berlin"}
	// nights is open when a story begins, and until the second step is due.
	nights = sm.Window{Days: []string{"fri", "sat"}, From: "22:00", To: "00:08", Zone: "UTC"}
)

// holds waits until a release waits for something other than time.
func (w *world) holds(release string, by sm.HeldBy, weight int) sm.Held {
	w.t.Helper()
	w.eventually(release+" is held by "+string(by), 2*time.Hour, func() bool {
		h := w.record(release).Held
		return h != nil && h.By == by
	})

	r := w.record(release)
	if r.Weight != weight || w.route().Weight != weight {
		w.t.Errorf("held at %d, with the route at %d, expected %d", r.Weight, w.route().Weight, weight)
	}

	return *r.Held
}

// announcedHeld are the texts of what was announced of a release while something held it.
func (c *chronicle) announcedHeld(release string, by sm.HeldBy) (texts []string) {
	c.lock.Lock()
	defer c.lock.Unlock()

	for _, a := range c.announced {
		if a.change.Release == release && a.change.Held == by &&
			strings.HasPrefix(a.change.Text, "held") {
			texts = append(texts, a.change.Text)
		}
	}

	return texts
}

func TestWindow_BeforeTheFirstViewer_WaitsUntilItOpens(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()

		monday := time.Date(2000, 1, 3, 8, 0, 0, 0, time.UTC) // nine in Berlin

		h := w.holds("v2", sm.HeldByWindow, 0)
		if h.Until == nil || !h.Until.Equal(monday) || !strings.Contains(h.Why, "Mon 3 Jan 09:00 CET") {
			t.Errorf("held %+v, expected until %s", h, monday)
		}

		time.Sleep(time.Until(monday) - time.Second)
		w.holds("v2", sm.HeldByWindow, 0)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+held+strings.TrimPrefix(good, deployed))
		w.weighed("v2", 500, 2500, 10000, 0)

		if first := w.since("v2", 500); first.Before(monday) || first.After(monday.Add(time.Minute)) {
			t.Errorf("the first viewers came %s", first)
		}

		if said := w.announcedHeld("v2", sm.HeldByWindow); len(said) != 1 ||
			!strings.HasPrefix(said[0], "held before the first viewer: outside of the windows") {
			t.Errorf("announced %q", said)
		}

		w.stands("b", "v1", "v2")
	}, windows(officeHours))
}

func TestWindow_ClosesInMidRamp_HoldsTheWeight(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 6, 30, 0, time.UTC)))
		w.second()
		w.bakes("v2", 500)

		opens := time.Date(2000, 1, 1, 22, 0, 0, 0, time.UTC)
		if h := w.holds("v2", sm.HeldByWindow, 500); !h.Until.Equal(opens) {
			t.Errorf("held %+v, expected until %s", h, opens)
		}

		time.Sleep(time.Until(opens) - time.Second)
		w.holds("v2", sm.HeldByWindow, 500)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+baked+held+looked+baked+baked+ended)
		w.weighed("v2", 500, 2500, 10000, 0)

		if next := w.since("v2", 2500); next.Before(opens) {
			t.Errorf("25 %% came %s, before the window opened", next)
		}

		w.stands("b", "v1", "v2")
	}, windows(nights))
}

// since is when the route got a weight.
func (c *chronicle) since(release string, weight int) time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()

	for _, r := range c.routes {
		if r.route.Release == release && r.route.Weight == weight {
			return r.at
		}
	}

	return time.Time{}
}

// Nothing holds a way back up, and nobody has to be asked for it.
func TestHeld_RollsBack(t *testing.T) {
	for name, c := range map[string]struct {
		by     sm.HeldBy
		weight int
		way    string
		set    setting
	}{
		"outside of the windows": {sm.HeldByWindow, 0, deployed + "Ramp", windows(officeHours)},
		"before an approval":     {sm.HeldByApproval, 500, deployed + baked + "Ramp", approvals(1)},
	} {
		for kind, word := range map[string]func(w *world){
			"by an alarm":        func(w *world) { w.alarm("b", types.StateValueAlarm) },
			"by the operator":    func(w *world) { w.operator(sm.SignalRollback) },
			"and is stopped too": func(w *world) { w.stop("v2") },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				story(t, func(w *world) {
					w.quietlyLive()
					w.second()
					w.holds("v2", c.by, c.weight)
					time.Sleep(3 * time.Hour)

					asked := time.Now()

					word(w)
					w.ends("v2", sm.RolledBack)

					if took := w.record("v2").Ended.Sub(asked); took > 2*time.Minute {
						t.Errorf("it took %s", took)
					}

					if kind == "and is stopped too" {
						w.tookTimes("v2", c.way, recovered)
					} else {
						w.took("v2", c.way+undone)
					}

					w.stands("a", "v1", "v1")
				}, c.set)
			})
		}
	}
}

// approvals asks for one before the given steps, counted from 0.
func approvals(steps ...int) setting {
	return func(o *stack.Options) {
		for _, i := range steps {
			o.Ramp.Steps[i].Approval = true
		}
	}
}

// An operator who says "go on" is there to watch: a closed window does not stop that step, only
// the next.
func TestWindow_OperatorAdvances(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.holds("v2", sm.HeldByWindow, 0)
		w.operator(sm.SignalAdvance)
		time.Sleep(5 * time.Second) // until all that is written of it: the hold ends last
		w.bakes("v2", 500)
		w.holds("v2", sm.HeldByWindow, 500)
		w.operator(sm.SignalAdvance)
		time.Sleep(5 * time.Second)
		w.bakes("v2", 2500)
		w.operator(sm.SignalPromote)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+held+baked+held+looked+baked+baked+ended)
		w.weighed("v2", 500, 2500, 10000, 0)

		if now := time.Now(); now.After(time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)) {
			t.Errorf("it was over %s", now)
		}

		w.stands("b", "v1", "v2")
	}, windows(officeHours))
}

// What ends a bake or a hold before its clock is wound finds nothing to cancel: whoever winds it
// finds out.
func TestClock_WoundTooLate(t *testing.T) {
	for name, ends := range map[string]func(w *world){
		"a bake is ended": func(w *world) { w.bakes("v2", 500); w.operator(sm.SignalAdvance) },
		"each is ended": func(w *world) {
			for _, weight := range []int{500, 2500, 10000} {
				w.bakes("v2", weight)
				w.operator(sm.SignalAdvance)
				time.Sleep(3 * time.Second)
			}
		},
		"all is ended":  func(w *world) { w.bakes("v2", 500); w.operator(sm.SignalPromote) },
		"it is stopped": func(w *world) { w.bakes("v2", 500); w.operator(sm.SignalRollback) },
		"a freeze ends": func(w *world) { w.holds("v2", sm.HeldByFreeze, 0); w.freeze("off") },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.stalls(sm.Ramp, "CreateSchedule", "", 2*time.Second)

				if name == "a freeze ends" {
					w.before(sm.Ramp, func() { w.freeze("holidays") })
				}

				w.second()
				w.reaches("Ramp")
				time.Sleep(time.Second)
				ends(w)
				time.Sleep(3 * time.Second)
				w.operator(sm.SignalPromote)
				w.ends("v2", map[bool]sm.Outcome{true: sm.RolledBack,
					false: sm.Released}[name == "it is stopped"])
				w.checkRest(func(format string, args ...any) { t.Errorf(format, args...) })
			})
		})
	}
}

// A pause and a closed window: what ends last counts.
func TestWindow_OpensWhilePaused(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		h := w.holds("v2", sm.HeldByWindow, 0)
		w.operator(sm.SignalPause)
		w.holds("v2", sm.HeldByOperator, 0)
		w.operator(sm.SignalResume)
		w.holds("v2", sm.HeldByWindow, 0)
		w.operator(sm.SignalPause)
		w.holds("v2", sm.HeldByOperator, 0)
		time.Sleep(time.Until(*h.Until) + time.Hour)
		w.holds("v2", sm.HeldByOperator, 0)
		w.operator(sm.SignalResume)
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	}, windows(officeHours))
}

func TestApproval_IsWaitedFor(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalApprove) // nobody has asked yet

		h := w.holds("v2", sm.HeldByApproval, 500)
		if h.Until != nil || h.Step != 2 || h.Why != "25 % of the viewers need an approval" {
			t.Errorf("held %+v", h)
		}

		time.Sleep(24 * time.Hour)
		w.holds("v2", sm.HeldByApproval, 500)
		w.operator(sm.SignalApprove)
		w.operator(sm.SignalApprove) // a word too many
		w.bakes("v2", 2500)
		w.holds("v2", sm.HeldByApproval, 2500)
		time.Sleep(time.Hour)
		w.operator(sm.SignalApprove)
		w.ends("v2", sm.Released)
		w.took("v2", deployed+baked+held+looked+baked+held+looked+baked+ended)
		w.weighed("v2", 500, 2500, 10000, 0)

		if said := w.announcedHeld("v2", sm.HeldByApproval); len(said) != 2 ||
			said[0] != "held at 5 %: 25 % of the viewers need an approval" {
			t.Errorf("announced %q", said)
		}

		w.stands("b", "v1", "v2")
	}, approvals(1, 2))
}

// Whoever skips the rest of the ramp does not skip whom it must be shown to.
func TestApproval_IsNotSkippedByPromote(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPromote)

		if h := w.holds("v2", sm.HeldByApproval, 500); h.Step != 3 {
			t.Errorf("held %+v", h)
		}

		w.operator(sm.SignalAdvance)
		time.Sleep(time.Minute)
		w.holds("v2", sm.HeldByApproval, 500)
		w.operator(sm.SignalApprove)
		w.ends("v2", sm.Released)
		w.weighed("v2", 500, 10000, 0)
		w.stands("b", "v1", "v2")
	}, approvals(1, 2))
}

// Approved in the night, it goes on in the morning.
func TestApproval_OutsideOfTheWindows(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 6, 30, 0, time.UTC)))
		w.second()
		w.holds("v2", sm.HeldByApproval, 500)
		w.operator(sm.SignalApprove)
		h := w.holds("v2", sm.HeldByWindow, 500)
		w.endsWithin(24*time.Hour, "v2", sm.Released)

		if next := w.since("v2", 2500); next.Before(*h.Until) {
			t.Errorf("25 %% came %s", next)
		}

		w.stands("b", "v1", "v2")
	}, windows(nights), approvals(1))
}

func TestRamp_Shorthands(t *testing.T) {
	for name, c := range map[string]struct {
		ramp    func(*sm.RampPlan)
		weights []int
	}{
		"linear": {func(r *sm.RampPlan) { r.Linear = &sm.Linear{By: 30, Every: minutes(5)} },
			[]int{3000, 6000, 9000, 10000, 0}},
		"exponential": {func(r *sm.RampPlan) {
			r.Exponential = &sm.Exponential{From: 1, Factor: 5,
				Bake: minutes(2)}
		}, []int{100, 500, 2500, 10000, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.ends("v2", sm.Released)
				w.weighed("v2", c.weights...)
				w.took("v2", deployed+strings.Repeat(baked, 4)+ended)
				w.stands("b", "v1", "v2")
			}, func(o *stack.Options) { o.Ramp.Steps = nil; c.ramp(&o.Ramp) })
		})
	}
}
