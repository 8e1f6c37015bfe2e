// Package functions_test plays whole releases through: the machine, every step as its Lambda, and
// viewers at the front, on the stand-ins and under virtual time. It exists because what Lockstep
// promises are promises about the end of a story, whatever happened in the middle of it.
package functions_test

import (
	"context"
	"database/sql"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/entry"
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
	"lockstep/infra/config"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/inprocess"
	"lockstep/infra/local/postgres/postgrestest"
	"lockstep/infra/local/stack"
	"lockstep/infra/local/visitors"
	sm "lockstep/statemachine"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

const (
	app    = "shop"
	host   = "shop.example"
	origin = "https://" + host

	convergence = time.Minute
	callTimeout = 10 * time.Second
	quiet       = 2 * time.Minute
)

// world is the account, with Lockstep and the shop in it, and whoever acts in the story.
type world struct {
	t       *testing.T
	options stack.Options
	stack   *stack.Stack
	config  sdk.Config
	runner  *lambda.InProcess
	db      *sql.DB // of stories with a database
	secret  string  // of theirs
	chronicle

	mu       sync.Mutex
	releases map[string]*bundled
	heard    []string // which releases events called, in order
	// by release: the function of it that answers 500, or "events" where what events call fails
	failing map[string]string
	dooms   map[sm.Task]func() *doom // asked at each invocation: nil lets it live
	befores map[sm.Task]func()       // called at the next invocation
	afters  map[sm.Task]func()
	faults  []fault
	power   atomic.Pointer[power] // nil where it never fails

	crowd *visitors.Crowd
	leave func() // sends the viewers home
}

type setting func(*stack.Options)

// story sets up an account and lets a test tell what happens in it.
func story(t *testing.T, tell func(w *world), settings ...setting) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := settle(t, settings...)

		recordCalls(w.stack)
		defer w.close()

		tell(w)
	})
}

// described is the shop as cdk.json would have it. One call in a hundred that fails is one too
// many: of all alarms it is that of the API which rings.
func described(t *testing.T) config.Config {
	t.Helper()

	c, err := config.Parse([]byte(`{
		"app": "` + app + `",
		"functions": [
			{"name": "catalog", "runtime": "provided.al2023", "handler": "bootstrap", "routes": ["/catalog"]},
			{"name": "orders", "runtime": "provided.al2023", "handler": "bootstrap", "routes": ["/orders"], "events": [{"pattern": {"source": ["shop"]}}]}
		],
		"ramp": {
			"steps": [{"percent": 5, "bake": "2m"}, {"percent": 25, "bake": "2m"}, {"percent": 100, "bake": "2m"}],
			"minimumRequests": 2, "maxExtensions": 2
		},
		"alarms": {"errors": 1, "minimumRequests": 1, "worse": 100, "functionErrors": 1000000},
		"drain": {"quiet": "2m", "atMost": "30m"}
	}`))
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func settle(t *testing.T, settings ...setting) *world {
	options := stack.Options{
		Config: described(t), SiteURL: origin, Code: map[sm.Task][]byte{}, Placeholder: placeholder,
		CallTimeout: callTimeout, MetricPeriod: time.Minute, EdgeConvergence: convergence,
	}
	for _, task := range sm.Functions() {
		options.Code[task] = zipOf(map[string]string{"bootstrap": "lockstep " + string(task)})
	}

	for _, set := range settings {
		set(&options)
	}

	w := &world{
		t: t, runner: lambda.NewInProcess(nil), releases: map[string]*bundled{}, failing: map[string]string{},
		dooms: map[sm.Task]func() *doom{}, befores: map[sm.Task]func(){}, afters: map[sm.Task]func(){}, leave: func() {},
	}
	options.Runner = w.runner
	w.options = options
	w.chronicle.begin(w)
	w.up()

	for _, f := range options.Functions {
		w.runner.Handle(options.Lambda(f), w.answering("none", f.Name))
	}

	return w
}

// up stands the account up and puts Lockstep into it.
func (w *world) up() {
	up, err := stack.Up(w.options)
	if err != nil {
		w.t.Fatal(err)
	}

	w.stack = up
	w.config = up.Cloud.Config()
	w.config.HTTPClient = &http.Client{Transport: network{inprocess.Transport(up.Front),
		mains{w, up.Cloud.Client().Transport}}}
	w.chronicle.keep(up)
	w.installLockstep()
}

func (w *world) close() {
	w.leave()
	w.stack.Close()
	time.Sleep(2 * time.Second) // a Lambda that was abandoned in its sleep wakes up
}

func minutes(n int) sm.Duration { return sm.Duration(time.Duration(n) * time.Minute) }

// network is what Lockstep's Lambdas reach: the shop by its name, and AWS.
type network struct{ shop, aws http.RoundTripper }

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == host {
		return n.shop.RoundTrip(r)
	}

	return n.aws.RoundTrip(r)
}

// installLockstep puts each step behind its Lambda's name.
func (w *world) installLockstep() {
	for task, handler := range w.steps() {
		w.runner.Handle(config.LambdaName(app, task), w.mortal(task, handler))
	}
}

// steps are the Lambdas, wired as their mains wire them.
func (w *world) steps() map[sm.Task]lambda.Handler {
	cloud := aws.With(w.config, w.stack.Settings)

	return map[sm.Task]lambda.Handler{
		sm.Begin: serve(database.Begin(cloud)), sm.Sync: serve(wire.Sync(cloud)), sm.Expand: serve(database.Expand(cloud)),
		sm.Deploy: serve(wire.Deploy(cloud)), sm.Probe: serve(wire.Probe(cloud)), sm.Ramp: serve(wire.Ramp(cloud)),
		sm.CheckAlarms: serve(wire.CheckAlarms(cloud)), sm.Promote: serve(wire.Promote(cloud)), sm.Drain: serve(wire.Drain(cloud)),
		sm.Contract: serve(database.Contract(cloud)), sm.Rollback: serve(wire.Rollback(cloud)), sm.Finish: serve(wire.Finish(cloud)),
		sm.Signal: serve(wire.Signal(cloud)), sm.Recover: serve(wire.Recover(cloud)), sm.Repair: serve(database.Repair(cloud)),
	}
}

func serve[In, Out any](run wire.Run[In, Out]) lambda.Handler { return entry.Handler(run).Invoke }

// mortal is a Lambda that the story can kill in the middle of an invocation, or surprise at either
// end of it.
func (w *world) mortal(task sm.Task, handler lambda.Handler) lambda.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		w.now(w.befores, task)
		defer w.now(w.afters, task)

		w.mu.Lock()

		var d *doom
		if doomed := w.dooms[task]; doomed != nil {
			d = doomed()
		}
		w.mu.Unlock()

		if d == nil {
			return handler(ctx, payload)
		}

		ctx, d.cancel = context.WithCancel(context.WithValue(ctx, doomKey{}, d))
		defer d.cancel()

		out, err := handler(ctx, payload)

		if d.dead.Load() {
			return nil, lambda.ErrExit
		}

		return out, err
	}
}

// before lets something happen when a step is called next, before it does anything.
func (w *world) before(task sm.Task, something func()) { w.when(w.befores, task, something) }

// after lets something happen when a step has done its work and has not answered yet.
func (w *world) after(task sm.Task, something func()) { w.when(w.afters, task, something) }

func (w *world) when(moments map[sm.Task]func(), task sm.Task, something func()) {
	w.mu.Lock()
	defer w.mu.Unlock()

	moments[task] = something
}

func (w *world) now(moments map[sm.Task]func(), task sm.Task) {
	w.mu.Lock()
	something := moments[task]
	delete(moments, task)
	w.mu.Unlock()

	if something != nil {
		something()
	}
}

// viewersCome lets people use the shop, few enough that minutes of it cost little, enough for a
// verdict at 5 %.
func (w *world) viewersCome() {
	w.crowd = visitors.New(visitors.Options{
		Origin: origin, Transport: inprocess.Transport(w.stack.Front), Viewers: 300, PageViewsPerSecond: 3, Seed: 1,
		RolledBack: w.rolledBack, Bad: func(release string) bool { return w.broken(release) != "" }, Built: w.built,
	})
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})

	go func() { w.crowd.Run(ctx); close(gone) }()

	w.leave = sync.OnceFunc(func() { cancel(); <-gone })
}

// callsAreMeasured writes the metrics that viewers would, in stories that are not about viewers.
func (w *world) callsAreMeasured() {
	ctx, cancel := context.WithCancel(context.Background())

	gone := make(chan struct{})
	go func() {
		defer close(gone)

		for {
			r := w.route()
			for e, served := range map[sm.Environment]bool{r.Fallback: r.Weight < sm.FullWeight,
				r.Active: r.Weight > 0} {
				if served {
					w.measure(e, "Count", 10)
				}
			}

			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Second):
			}
		}
	}()

	w.leave = sync.OnceFunc(func() { cancel(); <-gone })
}

func (w *world) measure(e sm.Environment, metric string, n float64) {
	w.stack.Cloud.Metrics.Put("AWS/ApiGateway", metric,
		map[string]string{"ApiName": app, "Stage": "api-" + string(e)}, n, "Count")
}

// breaks makes a function that a release built answer 500.
func (w *world) breaks(release, function string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.failing[release] = function
}

func (w *world) broken(release string) string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.failing[release]
}

// eventually waits for something to happen, in virtual time.
func (w *world) eventually(what string, within time.Duration, happened func() bool) {
	w.t.Helper()

	for deadline := time.Now().Add(within); !happened(); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %s until %s, which did not come\n%s", within, what, w.story())
		}
	}
}
