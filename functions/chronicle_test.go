package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/states"
	awswire "lockstep/infra/local/cloud/wire"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// chronicle notes what happens, without the help of what the steps write down: every event, every
// write to AWS, every route.
type chronicle struct {
	world *world

	lock      sync.Mutex
	announced []announcement
	routes    []routed
	// base is the release that the fallback carried when a release began.
	base  map[string]string
	live_ string
	// guarded is the environment that must not be written now, "" for none; violations are writes to
	// it.
	guarded    sm.Environment
	violations []string
	writes     map[string]int // to "ledger", "bus", "machine" and "else"
	refusals   []string       // calls of Lambdas that AWS answered with 400 or more
}

type announcement struct {
	at     time.Time
	change sm.StateChange
}

type routed struct {
	at    time.Time
	route sm.Route
}

func (c *chronicle) begin(w *world) {
	c.world, c.base, c.writes = w, map[string]string{}, map[string]int{}
}

func (c *chronicle) keep(up *stack.Stack) {
	w := c.world
	up.Cloud.Events.Subscribe(events.DefaultBus, c.hear)
	up.Cloud.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			d, _ := r.Context().Value(doomKey{}).(*doom)
			write := isWrite(cloud.CallOf(r.Context()).Operation)

			if d != nil && d.dead.Load() || w.power.Load().isOff() {
				return // nobody is there to make this call
			}

			if refusal := w.refusal(r, cloud.CallOf(r.Context())); refusal != nil {
				awswire.Answer(rw, r, nil, refusal)
				return
			}

			if write {
				c.note(r, cloud.CallOf(r.Context()).Service)
			}

			operation := cloud.CallOf(r.Context()).Operation
			if d != nil && d.before && d.strikes(operation) {
				return
			}

			answer := &witness{ResponseWriter: rw}
			next.ServeHTTP(answer, r)

			if write && caller(r.Context()) != "" && w.power.Load().fails() {
				return // and nobody to hear of it
			}

			c.refused(r, operation, answer.status)

			if write {
				c.look()
			}

			if d != nil && !d.before {
				d.strikes(operation)
			}
		})
	})
}

// refused notes what AWS did not do for a Lambda.
func (c *chronicle) refused(r *http.Request, operation string, status int) {
	if caller(r.Context()) == "" || status < http.StatusBadRequest {
		return
	}

	c.lock.Lock()
	defer c.lock.Unlock()

	c.refusals = append(c.refusals, fmt.Sprintf("%s: %d", operation, status))
}

func (c *chronicle) hear(e events.Event) {
	if e.Source != sm.Source {
		return
	}

	var change sm.StateChange
	if err := json.Unmarshal(e.Detail, &change); err != nil {
		panic(err)
	}

	c.lock.Lock()
	defer c.lock.Unlock()

	c.announced = append(c.announced, announcement{time.Now(), change})
	switch {
	case change.State == sm.Begin && change.Held == "":
		c.base[change.Release], c.guarded = c.live_, change.Active.Other()
	case change.State == sm.Promote:
		c.guarded = ""
	case change.State == sm.Finish && change.Outcome == sm.Released:
		c.live_ = change.Release
	}
}

func isWrite(operation string) bool {
	for _, read := range []string{"Get", "List", "Head", "Describe"} {
		if strings.HasPrefix(operation, read) {
			return false
		}
	}

	return true
}

// The places that belong to one environment.
var ofEnvironment = regexp.MustCompile(`^(?:/` + app +
	`-site-([ab])/|/restapis/[^/]+/stages/api-([ab])$|/2015-03-31/functions/[^/]+/aliases/([ab])$)`)

func (c *chronicle) note(r *http.Request, service string) {
	c.lock.Lock()
	defer c.lock.Unlock()

	switch {
	case strings.Contains(
		r.URL.Path, "/ledger/"), service == "states", service == "events", service == "scheduler":
		c.writes["ledger"]++
	default:
		c.writes["else"]++
	}

	if found := ofEnvironment.FindStringSubmatch(r.URL.Path); found != nil {
		if e := sm.Environment(found[1] + found[2] + found[3]); e == c.guarded {
			c.violations = append(c.violations, fmt.Sprintf("%s %s %s", time.Now().Format(time.TimeOnly),
				r.Method, r.URL.Path))
		}
	}
}

// look notes the route where it changed.
func (c *chronicle) look() {
	c.lock.Lock() // before the look: of two at once, the one that saw less must not be noted last
	defer c.lock.Unlock()

	route := c.world.route()
	if n := len(c.routes); n == 0 || c.routes[n-1].route != route {
		c.routes = append(c.routes, routed{time.Now(), route})
	}
}

// weights are the weights that a release had, in order; that Deploy opens the preview moves nobody.
func (c *chronicle) weights(release string) []int {
	c.lock.Lock()
	defer c.lock.Unlock()

	var weights []int

	for _, r := range c.routes {
		if r.route.Release == release && (r.route.Weight > 0 || r.route.Preview == "") {
			weights = append(weights, r.route.Weight)
		}
	}

	return weights
}

// said are the texts that were announced of a release in a state.
func (c *chronicle) said(release string, state sm.Task) []string {
	c.lock.Lock()
	defer c.lock.Unlock()

	var texts []string

	for _, a := range c.announced {
		if a.change.Release == release && a.change.State == state {
			texts = append(texts, a.change.Text)
		}
	}

	return texts
}

// rolledBack tells whether a rollback of the release was under way at some time from opened to
// closed.
func (c *chronicle) rolledBack(release string, opened, closed time.Time) bool {
	c.lock.Lock()
	defer c.lock.Unlock()

	var began, ended time.Time

	for _, a := range c.announced {
		if a.change.Release != release {
			continue
		}

		if a.change.State == sm.Rollback && began.IsZero() {
			began = a.at
		}

		if a.change.State == sm.Rollback {
			ended = a.at
		}
	}

	return !began.IsZero() && !closed.Before(began) && !opened.After(ended)
}

// built is the release that built a layer which a release shows: its own, or that of the release
// it was put upon.
func (c *chronicle) built(release, layer string) string {
	for release != "" {
		c.world.mu.Lock()
		r := c.world.releases[release]
		c.world.mu.Unlock()

		if r == nil {
			break
		}

		if _, ok := r.manifest.Functions[layer]; ok || (layer == "site" || layer == "assets") &&
			r.manifest.Site != nil {
			return release
		}

		c.lock.Lock()
		release = c.base[release]
		c.lock.Unlock()
	}

	return "none"
}

// story is what happened so far, for whoever reads a failure.
func (c *chronicle) story() string {
	var b strings.Builder

	c.lock.Lock()
	for _, a := range c.announced {
		fmt.Fprintf(&b, "%s %-4s %-12s %s\n", a.at.Format(time.TimeOnly), a.change.Release,
			a.change.State, a.change.Text)
	}
	c.lock.Unlock()

	for _, e := range slices.Backward(c.world.stack.Cloud.States.Executions()) {
		fmt.Fprintf(&b, "execution %s: %s %s %.300s\n", e.Name, e.Status, strings.Join(names(e), " "),
			e.Cause)
	}

	return b.String()
}

// Waits and choices say little that the steps between them don't.
var silent = []string{"Begun", "Probed", "Baked", "Judged", "Drained", "OldTabsOpen",
	"CallsInFlight", "Ended"}

func names(e states.Execution) []string {
	var path []string
	for _, v := range e.Path {
		if !slices.Contains(silent, v.State) && !(v.State == "Drain" && len(path) > 0 &&
			path[len(path)-1] == "Drain") {
			path = append(path, v.State)
		}
	}

	return path
}

// executions are those of a release, the oldest first.
func (c *chronicle) executions(release string) []states.Execution {
	all := slices.Clone(c.world.stack.Cloud.States.Executions())
	slices.Reverse(all)

	return slices.DeleteFunc(all, func(e states.Execution) bool {
		return !strings.Contains(e.Input, `"release":"`+release+`"`)
	})
}

func (c *chronicle) running(release string) bool {
	return slices.ContainsFunc(c.executions(release),
		func(e states.Execution) bool { return e.Status == asl.Running })
}
