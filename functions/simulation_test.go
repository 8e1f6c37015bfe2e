package functions_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"lockstep/functions/internal/aws"
	"lockstep/infra/config"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/inprocess"
	"lockstep/infra/local/stack"
	"lockstep/infra/local/visitors"
	sm "lockstep/statemachine"
)

var (
	seeds = flag.Int("seeds", 120, "how many simulated runs TestSimulation makes")
	from  = flag.Uint64("from", 1, "the first seed of TestSimulation")
	seed  = flag.Uint64("seed", 0, "run this seed of TestSimulation alone, and tell its story")
	first = flag.Bool("first", false, "end at the first finding of TestSimulation")
)

// Days of releases in bad weather: the seed decides what people do and what goes wrong, see
// script_test.go and weather_test.go, and what must always hold is looked at after every write,
// see invariants_test.go.
func TestSimulation(t *testing.T) {
	if *seed != 0 {
		*from, *seeds = *seed, 1
	}

	began := time.Now()

	var total tally
	if *alone || *seeds == 1 {
		total = playSeeds(t, *from, *seeds)
	} else {
		total = playInShares(t, *from, *seeds)
	}

	if *counts != "" {
		data, err := json.Marshal(total)
		if err == nil {
			err = os.WriteFile(*counts, data, 0o644)
		}

		if err != nil {
			t.Error(err)
		}
	}

	t.Logf("%d seeds in %s: %s", total.Runs, time.Since(began).Round(time.Second), total)
}

// playSeeds plays one seed after the other.
func playSeeds(t *testing.T, from uint64, seeds int) (total tally) {
	// On one processor goroutines that are ready at the same moment of virtual time run in the same
	// order each time.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))

	for n := range uint64(seeds) {
		t.Run(fmt.Sprint(from+n), func(t *testing.T) { total.add(simulate(t, from+n)) })
	}

	return total
}

// tally is what a number of runs amounts to.
type tally struct {
	Runs, Attempts, Views, Wrecks int
	Outcomes                      map[string]int
	Faults                        map[string]int
}

func (t *tally) add(s *simulation) {
	one := tally{Runs: 1, Attempts: len(s.auditor.attempts), Outcomes: map[string]int{},
		Faults: s.weather.faults}
	if s.wrecked {
		one.Wrecks = 1
	}

	for _, release := range s.merged {
		one.Outcomes[s.account.record(release).Outcome]++
	}

	if s.crowd != nil {
		one.Views = int(s.crowd.Report().PageViews)
	}

	t.merge(one)
}

func (t *tally) merge(o tally) {
	if t.Outcomes == nil {
		t.Outcomes, t.Faults = map[string]int{}, map[string]int{}
	}

	t.Runs, t.Attempts, t.Views, t.Wrecks = t.Runs+o.Runs, t.Attempts+o.Attempts, t.Views+
		o.Views, t.Wrecks+o.Wrecks
	for outcome, times := range o.Outcomes {
		t.Outcomes[outcome] += times
	}

	for fault, times := range o.Faults {
		t.Faults[fault] += times
	}
}

func (t tally) String() string {
	faults := 0
	for _, times := range t.Faults {
		faults += times
	}

	return fmt.Sprintf("%d releases had the lock, merges ended %v, %d page views, %d stated wrecks; %d faults: %v", t.Attempts, t.Outcomes, t.Views, t.Wrecks, faults, t.Faults)
}

// simulation is one run.
type simulation struct {
	*world
	account account
	weather *weather
	schema  *memorySchema
	auditor *auditor

	merged  []string // releases, in the order that they were announced in
	wrecked bool

	telling sync.Mutex
	said    []string
}

// simulate plays one seed.
func simulate(t *testing.T, seed uint64) (s *simulation) {
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) {
		s = begin(t, seed)
		defer s.close()

		s.play(dice(seed, "script"))

		if found := s.auditor.findings(); found != nil || t.Failed() {
			t.Errorf("%s\n%s\nto run it again: go test ./functions -run 'TestSimulation$' -seed %d",
				strings.Join(found, "\n"), s.storySoFar(), seed)
		} else if testing.Verbose() && *seeds == 1 {
			t.Log(s.storySoFar())
		}
	})

	return s
}

func begin(t *testing.T, seed uint64) *simulation {
	s := &simulation{}
	s.weather = forecast(seed, s.tell)
	s.world = settle(t, func(o *stack.Options) {
		d := dice(seed, "settings")
		o.Secret = `{"host":"nowhere"}` // for the schema is no real one
		o.Ramp.Steps = [][]sm.RampStep{
			{{Percent: 20, Bake: minutes(2)}, {Percent: 50, Bake: minutes(2)},
				{Percent: 100, Bake: minutes(2)}},
			{{Percent: 50, Bake: minutes(3)}, {Percent: 100, Bake: minutes(1)}},
			{{Percent: 100, Bake: minutes(4)}},
		}[d.IntN(3)]

		o.Ramp.OnInconclusive = []sm.OnInconclusive{sm.Hold, sm.RollBackUnsure}[d.IntN(2)]
		if d.Float64() < 0.3 {
			o.Alarms.Errors = 20 // of a hundred
		}

		gated(dice(seed, "gates"), o)
	})
	s.account = account{s.stack}

	var lag time.Duration
	if d := dice(seed, "lag"); d.Float64() < 0.3 {
		lag = time.Duration(d.Int64N(int64(3 * time.Minute)))
		s.stack.Cloud.Metrics.Lag(lag)
	}

	s.schema = &memorySchema{weather: s.weather}
	s.auditor = audit(s.account, s.schema, s.tell, func(release string) *bundled {
		s.mu.Lock()
		defer s.mu.Unlock()

		if b := s.releases[release]; b != nil {
			return b
		}

		return &bundled{}
	})

	s.auditor.lag = lag
	if s.stack.Settings.Probe != nil {
		s.teamLooks()
	}

	s.stack.Front = s.auditor.called(s.stack.Front)
	s.stack.Cloud.Use(s.weather.aws(s.auditor.see))
	s.stack.Cloud.Deliver(s.weather.deliver)
	s.stack.Cloud.Events.Subscribe(events.DefaultBus, s.auditor.hear)
	s.stack.Cloud.Events.Subscribe(events.DefaultBus, s.hear)
	s.config.HTTPClient = &http.Client{Transport: network{
		inprocess.Transport(s.stack.Front), wireless{s.stack.Cloud.Client().Transport},
	}}
	// The SDK's own jitter comes from one stream for all, and who draws first is chance.
	s.config.Retryer = func() sdk.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return time.Second << attempt / 2, nil
			})
		})
	}
	steps := s.steps()
	maps.Copy(steps, s.schema.steps(aws.With(s.config, s.stack.Settings)))

	for task, handler := range steps {
		handler = s.weather.over(task, handler)
		if task == sm.Signal {
			handler = s.attentive(handler)
		}

		s.runner.Handle(config.LambdaName(app, task), handler)
	}

	return s
}

// attentive lets the auditor know what Signal has heard.
func (s *simulation) attentive(handler lambda.Handler) lambda.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		taken := s.auditor.listening(payload)

		out, err := handler(ctx, payload)
		if err == nil {
			s.tell("Signal: %s", out)
			taken()
		}

		return out, err
	}
}

// close sends everyone home. What is still to be delivered will not be.
func (s *simulation) close() {
	s.world.close()
	s.weather.waiting.Wait()
}

const stamp = "02 15:04:05.000 "

func (s *simulation) tell(format string, args ...any) {
	s.telling.Lock()
	defer s.telling.Unlock()

	s.said = append(s.said, time.Now().Format(stamp)+fmt.Sprintf(format, args...))
}

func (s *simulation) storySoFar() string {
	s.telling.Lock()
	defer s.telling.Unlock()

	// what happens at once has no order of its own
	slices.SortStableFunc(s.said, func(x, y string) int {
		if x[:len(stamp)] == y[:len(stamp)] {
			return strings.Compare(x, y)
		}

		return 0
	})

	story := strings.Join(s.said, "\n")
	for _, e := range slices.Backward(s.stack.Cloud.States.Executions()) {
		story += fmt.Sprintf("\nexecution %s: %s %s %.300s", e.Name, e.Status,
			strings.Join(names(e), " "), e.Cause)
	}

	return story
}

// hear tells what is announced, and which executions begin and end.
func (s *simulation) hear(e events.Event) {
	var what struct{ Release, State, Text, Name, Status, Input string }

	_ = json.Unmarshal(e.Detail, &what)
	switch e.Source {
	case "lockstep":
		s.tell("%s, %s: %s", what.Release, what.State, what.Text)
	case "aws.states":
		s.tell("execution %s is %s", what.Name, what.Status)
	case "aws.cloudwatch":
		s.tell("%s: %s", e.DetailType, e.Resources)
	}
}

// bundle makes a release that says who it is in every layer, and whose functions need the schema
// that they were made for.
func (s *simulation) bundle(id string, sequence int64, b brings) *bundled {
	r := s.release(id, sequence, b)
	for _, name := range b.functions {
		answer := s.answering(id, name)
		s.runner.Handle(lambda.Digest(codeOf(id, name)),
			func(ctx context.Context, payload []byte) ([]byte, error) {
				if err := s.works(id); err != nil {
					return json.Marshal(map[string]any{"statusCode": 500,
						"headers": map[string]string{"x-lockstep-release": id}, "body": err.Error()})
				}

				return answer(ctx, payload)
			})
	}

	return r
}

// works tells whether code finds the schema that it needs, when it is called and until it answers.
func (s *simulation) works(id string) error {
	migrates := func(
		release string) bool {
		return s.auditor.bundles(release).manifest.Migrations != nil
	}
	err := s.schema.fits(s.auditor.line(id), migrates)

	time.Sleep(150 * time.Millisecond)

	if err == nil {
		err = s.schema.fits(s.auditor.line(id), migrates)
	}

	return err
}

// people use the shop.
func (s *simulation) people(seed uint64) {
	s.crowd = visitors.New(visitors.Options{
		Origin: origin, Transport: inprocess.Transport(s.stack.Front), Viewers: 30, PageViewsPerSecond: 0.12, Newcomers: 0.1, Seed: seed,
		RolledBack: s.auditor.rolledBack, Bad: func(release string) bool { return s.broken(release) != "" },
		Built: func(release, layer string) string {
			if layer == "assets" {
				layer = "site"
			}

			s.auditor.mu.Lock()
			defer s.auditor.mu.Unlock()

			return s.auditor.builder(release, layer)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})

	go func() { s.crowd.Run(ctx); close(gone) }()

	s.leave = sync.OnceFunc(func() { cancel(); <-gone })
}

// callers call the API as the viewers' pages would, where the viewers themselves would cost too
// much: the router is JavaScript, and each run has its own.
func (s *simulation) callers(d *rand.Rand) {
	ctx, cancel := context.WithCancel(context.Background())

	gone, others := make(chan struct{}), s.leave
	go func() {
		defer close(gone)

		for pause(ctx, time.Duration(d.Int64N(int64(8*time.Second)))) == nil {
			route := s.account.route(time.Duration(d.Int64N(int64(convergence))))

			e := route.Fallback
			if d.IntN(sm.FullWeight) < route.Weight {
				e = route.Active
			}

			_, release := s.account.stage(e)

			answer := s.get("/api-"+e+"/"+[]string{"catalog", "orders"}[d.IntN(2)], "")
			if by := answer.Header.Get("x-lockstep-release"); answer.StatusCode != http.StatusOK &&
				s.broken(release) == "" && s.broken(by) == "" {
				s.auditor.mu.Lock()
				s.auditor.wrong(1, "the API of %s, which is %s, answers %s", e, release, answer.Status)
				s.auditor.mu.Unlock()
			}
		}
	}()

	s.leave = sync.OnceFunc(func() { cancel(); <-gone; others() })
}

// tab is a page that stays open and goes on calling the API that it knows.
func (s *simulation) tab(d *rand.Rand, open time.Duration) {
	e := s.account.route(0).Fallback
	s.weather.waiting.Go(func() {
		for until := time.Now().Add(open); time.Now().Before(until); {
			s.get("/api-"+e+"/orders", "")
			time.Sleep(10*time.Second + time.Duration(d.Int64N(int64(80*time.Second))))
		}
	})
}

// rest waits until nothing is under way any more. Where a release is held for the operator, one of
// the words is said.
func (s *simulation) rest(d *rand.Rand, within time.Duration, words ...sm.SignalKind) {
	began := time.Now()
	for quietly := 0; quietly < 3; time.Sleep(20 * time.Second) {
		waited := time.Since(began)

		if (len(s.account.running()) == 0 || s.account.wrecked()) && s.weather.undone.Load() == 0 &&
			s.stack.Cloud.Lambda.Queued() == 0 {
			quietly++
			continue
		}

		quietly = 0

		s.checkQueue()

		if waited > within {
			s.auditor.mu.Lock()
			s.auditor.wrong(4, "after %s these still run: %v", within, s.account.running())
			s.auditor.mu.Unlock()

			return
		}

		if lock := s.account.lock(); waited > time.Hour && lock.Holder != nil &&
			int(waited.Minutes())%30 == 0 {
			if r := s.account.record(lock.Holder.Release); r.Wait != nil && r.Wait.Paused != nil {
				s.operator(words[d.IntN(len(words))])
				time.Sleep(time.Minute)
			}
		}
	}
}
