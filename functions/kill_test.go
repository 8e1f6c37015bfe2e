package functions_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

var everyCall = flag.Bool("every-call", false,
	"TestKilled kills before and after every call, also those that only read; TestPower after every write")

// Every Lambda dies at its n-th call, whenever it is called but for the time after a death, for
// every n that any of them gets to. The machine and EventBridge call again, and the end is the
// same. Whoever dies before a write leaves the account as whoever dies after the write before it,
// and reads leave nothing: so each write is enough, unless one wants to see it.
func TestKilled_AtEveryCall(t *testing.T) {
	killed := map[string]bool{}

	for name, release := range map[string]func(w *world){
		"released": func(w *world) {
			w.second()
			w.ends("v2", sm.Released)
			w.took("v2", good)
			w.weighed("v2", 500, 2500, 10000, 0)
			w.stands("b", "v1", "v2")
		},
		"rolled back": func(w *world) {
			second := w.release("v2", 2, everything)
			second.manifest.Site.Artifact = second.pack("site.zip", map[string]string{
				"index.html": page("v2"), "new.html": page("v2"), "assets/app-v2.js": asset("v2"),
			})

			w.swapRoles() // which Begin mends
			w.merge(second)
			w.bakes("v2", 2500)
			w.operator(sm.SignalRollback)
			w.ends("v2", sm.RolledBack)
			w.took("v2", deployed+baked+"Ramp"+undone)
			w.stands("a", "v1", "v1")
		},
		"rolled back in drain": func(w *world) {
			w.second()
			w.reaches("OldTabsOpen")
			w.operator(sm.SignalRollback)
			w.ends("v2", sm.RolledBack)
			w.stands("a", "v1", "v1")
		},
		"stopped": func(w *world) {
			w.second()
			w.bakes("v2", 2500)
			w.stop("v2")
			w.ends("v2", sm.RolledBack)
			w.tookTimes("v2", deployed+baked+"Ramp", recovered)
			w.stands("a", "v1", "v1")
		},
		"paused, resumed, hurried": func(w *world) {
			w.second()
			w.bakes("v2", 500)
			w.operator(sm.SignalPause)
			time.Sleep(10 * time.Minute) // Signal's third try comes after three
			w.before(sm.CheckAlarms, func() { w.operator(sm.SignalPromote); time.Sleep(10 * time.Minute) })
			w.operator(sm.SignalResume)
			time.Sleep(5 * time.Second)
			w.operator(sm.SignalAdvance)
			w.ends("v2", sm.Released)
			w.stands("b", "v1", "v2")
		},
		"frozen": func(w *world) {
			w.freeze("holidays")
			w.second()
			time.Sleep(24 * time.Hour)
			w.freeze("off")
			w.ends("v2", sm.Released)
			time.Sleep(24 * time.Hour) // the schedule that a dead Begin left answers a used token
			w.stands("b", "v1", "v2")
		},
		"frozen, superseded, stopped": func(w *world) {
			w.freeze("holidays")
			w.second()
			time.Sleep(time.Minute)
			w.merge(w.release("v3", 3, everything))
			w.ends("v2", sm.Superseded)
			w.stop("v3")
			w.ends("v3", sm.Refused)
			w.freeze("off")
			w.merge(w.release("v4", 4, everything))
			w.ends("v4", sm.Released)
			w.stands("b", "v1", "v4")
		},
		"after another": func(w *world) {
			w.second()
			w.bakes("v2", 500)
			w.merge(w.release("v3", 3, everything))
			w.ends("v3", sm.Released)
			w.stands("a", "v3", "v2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			if *everyCall {
				killAtEach(t, manner{reads: true}, killed, release)
				killAtEach(t, manner{reads: true, before: true}, killed, release)

				return
			}

			killAt(t, 1, manner{before: true}, killed, release)
			killAtEach(t, manner{}, killed, release)
		})
	}

	if t.Failed() || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return
	}
	// All that any Lambda changes on AWS is in the list of calls, and each of them was somebody's
	// last.
	data, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}

	for line := range strings.Lines(string(data)) {
		task, call, _ := strings.Cut(strings.TrimSpace(line), " ")

		_, operation, _ := strings.Cut(strings.Fields(call)[0], ":")
		if operation == "PATCH" {
			operation = "UpdateStage"
		}

		if operation == "GET" || unkilled[task] != "" || unkilled[operation] != "" ||
			unkilled[task+" "+operation] != "" {
			continue
		}

		if isWrite(operation) && !killed[task+" "+operation] {
			t.Errorf("no %s was killed at %s", task, operation)
		}
	}
}

// unkilled are calls at which nobody dies here.
var unkilled = map[string]string{
	"Repair":                  "somebody calls it who can call it again; repair_test.go does",
	"Probe InvokeFunction":    "it changes nothing of ours",
	"Begin DeleteSchedule":    "whether it is doomed or let live then is chance; TestKilled_AsItThaws",
	"Ramp DeleteSchedule":     "Signal goes on at the same time: which call is the nth is chance",
	"Promote DeleteSchedule":  "the same",
	"UpdateSchedule":          "only who follows a dead one makes it, and that one is let live",
	"Recover PutEvents":       "it tells of a wreck, and here is none",
	"Recover SendTaskSuccess": "a sweep calls whom nothing else would, and the next one does again",
}

// killAtEach kills at the first call, the second, and so on, until nobody makes so many.
func killAtEach(t *testing.T, how manner, killed map[string]bool, release func(w *world)) {
	for n := 1; !t.Failed() && killAt(t, n, how, killed, release); n++ {
	}
}

func killAt(t *testing.T, n int, how manner, killed map[string]bool,
	release func(w *world)) (died bool) {
	when := map[bool]string{true: "before", false: "after"}[how.before]
	t.Run(fmt.Sprintf("%s call %d", when, n), func(t *testing.T) {
		story(t, func(w *world) {
			w.quietlyLive()
			dead := w.allDie(n, how)
			release(w)

			for _, at := range dead() {
				killed[at], died = true, true
			}

			for _, refusal := range w.refusals {
				if handled[refusal] == "" {
					t.Errorf("AWS refused %s, which no call that is made again should meet", refusal)
				}
			}
		})
	})

	return died
}

// handled are the refusals by which a Lambda learns that it, or another, has done it before.
var handled = map[string]string{
	"PutObject: 412":       "the ledger's condition",
	"GetObject: 404":       "a record that is not there yet",
	"HeadObject: 404":      "a page that is not there",
	"SendTaskSuccess: 400": "the token was used",
	"SendTaskFailure: 400": "the token was used",
	"CreateSchedule: 409":  "it is there already",
	"DeleteSchedule: 404":  "it has fired",
	"StartExecution: 400":  "it was started",
	"UpdateAlias: 412":     "the alias's revision",

	"UpdateFunctionCode: 409": "the update that the dead one began is under way, and waited for",
}

// allDie dooms each Lambda to die at its n-th call whenever it is called, but for the call that
// follows a death, and tells where they died.
func (w *world) allDie(n int, how manner) (dead func() []string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	type victim struct {
		task sm.Task
		*doom
	}

	var doomed []victim

	for _, task := range sm.Functions() {
		var last *doom

		w.dooms[task] = func() *doom {
			if last != nil && last.dead.Load() {
				last = nil
				return nil
			}

			last = &doom{manner: how}
			last.left.Store(int64(n))
			doomed = append(doomed, victim{task, last})

			return last
		}
	}

	return func() (dead []string) {
		w.mu.Lock()
		defer w.mu.Unlock()

		for _, v := range doomed {
			if v.dead.Load() {
				dead = append(dead, string(v.task)+" "+v.at)
			}
		}

		return dead
	}
}

// Signal dies when it has wound the clock of a bake that was resumed, and is called again: it
// finds the clock there.
func TestKilled_WhileItResumes(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.operator(sm.SignalPause)
		time.Sleep(10 * time.Second)

		d := w.dies(sm.Signal, 4, manner{}) // the word, that it is resumed, its announcement, the clock
		w.operator(sm.SignalResume)
		w.ends("v2", sm.Released)

		if d.at != "CreateSchedule" {
			t.Errorf("it died at %q", d.at)
		}

		w.weighed("v2", 500, 2500, 10000, 0)
		w.stands("b", "v1", "v2")
	})
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

// Begin dies when it has the lock that a freeze kept free, and has deleted the schedule that would
// have woken it.
func TestKilled_AsItThaws(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.freeze("holidays")
		w.second()
		time.Sleep(time.Hour)

		// whether it first meets Signal at the lock is chance
		d := w.dies(sm.Begin, 1, manner{of: "DeleteSchedule"})
		w.freeze("off")
		w.ends("v2", sm.Released)

		if !d.dead.Load() {
			t.Error("it did not die")
		}

		w.stands("b", "v1", "v2")
	})
}
