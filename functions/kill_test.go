package functions_test

import (
	"fmt"
	"testing"
	"time"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// Every Lambda dies right after its n-th write has taken effect, every other time that it is called, for
// every n that any of them gets to. The machine and EventBridge call again, and the end is the same.
func TestKilled_AtEveryWrite(t *testing.T) {
	for name, release := range map[string]func(w *world){
		"released": func(w *world) {
			w.ends("v2", sm.Released)
			w.took("v2", good)
			w.weighed("v2", 500, 2500, 10000, 0)
			w.stands("b", "v1", "v2")
		},
		"rolled back": func(w *world) {
			w.bakes("v2", 2500)
			w.operator(sm.SignalRollback)
			w.ends("v2", sm.RolledBack)
			w.took("v2", deployed+baked+"Ramp"+undone)
			w.stands("a", "v1", "v1")
		},
		"rolled back in drain": func(w *world) {
			w.reaches("OldTabsOpen")
			w.operator(sm.SignalRollback)
			w.ends("v2", sm.RolledBack)
			w.stands("a", "v1", "v1")
		},
		"stopped": func(w *world) {
			w.bakes("v2", 2500)
			w.stop("v2")
			w.ends("v2", sm.RolledBack)
			w.tookTimes("v2", deployed+baked+"Ramp", recovered)
			w.stands("a", "v1", "v1")
		},
		"after another": func(w *world) {
			w.bakes("v2", 500)
			w.merge(w.release("v3", 3, everything))
			w.ends("v3", sm.Released)
			w.stands("a", "v3", "v2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n, deaths := 1, 1; deaths > 0 && !t.Failed(); n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					story(t, func(w *world) {
						w.quietlyLive()
						killed := w.everyOtherDies(n)
						w.second()
						release(w)
						deaths = killed()
					})
				})
			}
		})
	}
}

// everyOtherDies dooms every other invocation of each Lambda to die after its n-th write, and counts the dead.
func (w *world) everyOtherDies(n int) (killed func() int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var doomed []*doom
	for _, task := range sm.Functions() {
		called := 0
		w.dooms[task] = func() *doom {
			if called++; called%2 == 0 {
				return nil
			}
			doomed = append(doomed, after(n))
			return doomed[len(doomed)-1]
		}
	}
	return func() (dead int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, d := range doomed {
			if d.dead.Load() {
				dead++
			}
		}
		return dead
	}
}

// EventBridge delivers a word twice: the second is not about the bake that the first one led to.
func TestOperator_WordDeliveredTwice(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		word := fmt.Appendf(nil, `{"id":"one","detail-type":"Operator Request","source":"lockstep.operator","time":%q,
			"detail":{"app":"shop","action":"advance"}}`, time.Now().UTC().Format(time.RFC3339))
		for range 3 {
			if err := w.stack.Cloud.Lambda.InvokeAsync(config.LambdaName(app, sm.Signal), word); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		w.weighed("v2", 500, 2500)
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
	})
}

// A pause that comes again after the resume does not pause again.
func TestOperator_PauseDeliveredLate(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		say := func(id, action string) {
			word := fmt.Appendf(nil, `{"id":%q,"detail-type":"Operator Request","source":"lockstep.operator","time":%q,
				"detail":{"app":"shop","action":%q}}`, id, time.Now().UTC().Format(time.RFC3339), action)
			if err := w.stack.Cloud.Lambda.InvokeAsync(config.LambdaName(app, sm.Signal), word); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		say("one", "pause")
		say("two", "resume")
		say("one", "pause")
		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}
