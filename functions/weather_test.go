package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	awswire "lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// weather is what goes wrong in a simulated run. Each throw of the dice is named by what it is
// about, not by when it is thrown: so a run is the same again although goroutines are not.
type weather struct {
	seed uint64
	tell func(format string, args ...any)

	// Shares of the calls that Lambdas make.
	refused, timingOut, slow, dying float64
	// Share of the invocations that stand still for minutes, and wake up.
	freezing float64
	// Share of the calls of steps whose connection breaks: the machine calls again, and the Lambda
	// goes on.
	abandoning float64
	// Shares of deliveries.
	doubled, late, lost float64
	// outages are services that are down for a while.
	outages map[string]spell
	clock   time.Duration // how far the event bus is ahead of the Lambdas

	calm    atomic.Bool
	mu      sync.Mutex
	counted map[string]int
	faults  map[string]int // what happened, for the report
	still   map[sm.Task]func(*invocation)
	waiting sync.WaitGroup // deliveries that are still to come
	undone  atomic.Int64   // those, and invocations
}

type spell struct{ from, to time.Time }

// dice are those of one question.
func dice(seed uint64, about ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, about...)

	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// forecast is how bad a run gets: from nearly nothing to everything at once.
func forecast(seed uint64, tell func(string, ...any)) *weather {
	d := dice(seed, "weather")
	w := &weather{seed: seed, tell: tell, outages: map[string]spell{}, counted: map[string]int{},
		faults: map[string]int{}, still: map[sm.Task]func(*invocation){}}
	severity := d.Float64()
	upTo := func(most float64) float64 {
		if d.Float64() < 0.4 {
			return 0
		}

		return most * severity * d.Float64()
	}
	w.refused, w.timingOut, w.slow, w.dying = upTo(0.3), upTo(0.15), upTo(0.1), upTo(0.04)
	w.freezing = upTo(0.1)

	w.doubled, w.late, w.lost = upTo(0.6), upTo(0.4), upTo(0.04)
	if d.Float64() < 0.3 {
		w.clock = time.Duration(d.IntN(4001)-2000) * time.Millisecond
	}

	for d.Float64() < 0.25 {
		services := []string{"s3", "lambda", "apigateway", "ssm", "cloudfront-keyvaluestore", "events",
			"scheduler", "states", "monitoring", "postgres"}
		from := time.Now().Add(time.Duration(d.Int64N(int64(time.Hour))))
		w.outages[services[d.IntN(len(services))]] = spell{from,
			from.Add(time.Duration(d.Int64N(int64(3 * time.Minute))))}
	}

	w.abandoning = upTo(0.25)

	return w
}

func (w *weather) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.counted[what]++

	return w.counted[what]
}

func (w *weather) happened(fault, format string, args ...any) {
	w.mu.Lock()
	w.faults[fault]++
	w.mu.Unlock()
	w.tell("  ~ "+format, args...)
}

// invocation is one call of one of Lockstep's Lambdas, as the weather sees it.
type invocation struct {
	task      sm.Task
	number    int
	began     time.Time
	execution string // "" for what no execution calls
	release   string

	freezeAt  int    // the call before which it stands still at the earliest
	freezeOn  string // and what call that must be
	freeze    time.Duration
	meanwhile func(execution string)
	calls     atomic.Int64
	froze     atomic.Bool
	dead      atomic.Bool
	cancel    context.CancelFunc
}

func (i *invocation) String() string { return fmt.Sprintf("%s#%d", i.task, i.number) }

type invocationKey struct{}

// invoked is the invocation in which something happens; nil where no Lambda does it.
func invoked(ctx context.Context) *invocation {
	i, _ := ctx.Value(invocationKey{}).(*invocation)
	return i
}

// over lets a Lambda live in the weather.
func (w *weather) over(task sm.Task, handler lambda.Handler) lambda.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		w.undone.Add(1) // a Lambda that stands still outlives its execution
		defer w.undone.Add(-1)

		i := &invocation{task: task, number: w.count("invocations of " + string(task)), began: time.Now()}

		var about struct {
			Execution, Release string
			Document           struct{ Execution, Release string }
		}

		_ = json.Unmarshal(payload, &about)
		i.execution, i.release = about.Execution+about.Document.Execution, about.Release+
			about.Document.Release

		d := dice(w.seed, "freeze", task, i.number)
		if !w.calm.Load() && d.Float64() < w.freezing {
			i.freezeAt, i.freeze = 1+d.IntN(
				25), time.Duration(math.Exp(d.Float64()*math.Log(1200))*float64(time.Second))
		}

		w.mu.Lock()
		if still := w.still[task]; still != nil && !w.calm.Load() {
			delete(w.still, task)
			still(i)
		}
		w.mu.Unlock()

		live := func(ctx context.Context) ([]byte, error) {
			ctx, i.cancel = context.WithCancel(context.WithValue(ctx, invocationKey{}, i))
			defer i.cancel()

			out, err := handler(ctx, payload)

			if i.dead.Load() {
				return nil, lambda.ErrExit
			}

			return out, err
		}
		if d := dice(w.seed, "abandon", task, i.number); slices.Contains(sm.Tasks(), task) &&
			!w.calm.Load() && d.Float64() < w.abandoning {
			return w.abandon(ctx, i, d, live)
		}

		return live(ctx)
	}
}

// abandon lets the connection to a Lambda break, which goes on, and is likely to stand still
// somewhere.
func (w *weather) abandon(ctx context.Context, i *invocation, d *rand.Rand,
	live func(context.Context) ([]byte, error)) ([]byte, error) {
	if i.freezeAt == 0 && d.Float64() < 0.8 {
		i.freezeAt, i.freeze = 1+d.IntN(
			25), time.Duration(math.Exp(d.Float64()*math.Log(900))*float64(time.Second))
	}

	var (
		out []byte
		err error
	)

	ended := make(chan struct{})

	w.undone.Add(1)
	go func() {
		defer w.undone.Add(-1)
		defer close(ended)

		lives, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Minute)
		defer cancel()

		out, err = live(lives)
	}()

	select {
	case <-ended:
		return out, err
	case <-time.After(time.Duration(d.Int64N(int64(10 * time.Second)))):
		w.happened("abandoned", "the connection to %s breaks", i)

		return nil, messages.InvokeResponse_Error{Type: "Lambda.ServiceException",
			Message: "the connection broke, says the seed"}
	}
}

// standStill lets the next invocation of a step stand still at a call, or the next one of an
// operation, and meanwhile something is done to its execution.
func (w *weather) standStill(task sm.Task, call int, operation string, while time.Duration,
	meanwhile func(execution string)) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.still[task] = func(i *invocation) {
		i.freezeAt, i.freezeOn, i.freeze, i.meanwhile = call, operation, while, meanwhile
	}
}

// fate is how a call ends for whoever made it, where that is not what the service answers.
type fate struct{ err error }

type fateKey struct{}

// wire is the network between the Lambdas and AWS: it can time out whatever happens at the other
// end.
type wireless struct{ http.RoundTripper }

func (t wireless) RoundTrip(r *http.Request) (*http.Response, error) {
	f := &fate{}

	response, err := t.RoundTripper.RoundTrip(r.WithContext(context.WithValue(r.Context(), fateKey{},
		f)))
	if f.err != nil {
		if response != nil {
			_ = response.Body.Close()
		}

		return nil, f.err
	}

	return response, err
}

var errTimedOut = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}

// aws lets the calls of Lambdas go wrong on their way. Whatever takes effect is shown to see.
func (w *weather) aws(see func(r *http.Request, call cloud.Call,
	by *invocation)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			by := invoked(r.Context())
			if by == nil {
				next.ServeHTTP(rw, r)
				return
			}

			call := cloud.CallOf(r.Context())
			f, _ := r.Context().Value(fateKey{}).(*fate)
			what := call.Operation + " " + r.URL.Path

			refusal, _ := w.pass(r.Context(), by, call.Service, what, func() {
				answer := &witness{ResponseWriter: rw, lost: f != nil && f.err != nil}
				next.ServeHTTP(answer, r)

				if answer.status < http.StatusMultipleChoices {
					see(r, call, by)
				}
			}, func(err error) { f.err = err })
			if refusal != nil {
				awswire.Answer(rw, r, nil, refusal)
			}
		})
	}
}

// pass is a call on its way: there, maybe the effect, and back. lose is called before the effect
// where the answer will not arrive, and in place of it where the call does not.
func (w *weather) pass(ctx context.Context, by *invocation, service, what string, effect func(),
	lose func(error)) (refusal *awswire.Error, err error) {
	nth := int(by.calls.Add(1))
	if by.dead.Load() || ctx.Err() != nil {
		return nil, ctx.Err()
	}

	if w.calm.Load() {
		effect()
		return nil, nil
	}

	d := dice(w.seed, "call", by.task, by.number, what, w.count(fmt.Sprint(by, what)))
	// No two things happen at the same moment: that would leave their order to chance.
	travel := func() { time.Sleep(time.Duration(1e6 + d.Int64N(25e6))) }
	if d.Float64() < w.slow {
		travel = func() { time.Sleep(time.Duration(1e9 + d.Int64N(7e9))) }
	}

	chance, fault := d.Float64(), d.Float64()
	// A process that stands still does so anywhere, but for the moment between a look at the lock and
	// a write that rests on it alone, and is made however late.
	told := by.freezeOn != "" && strings.HasPrefix(what, by.freezeOn)

	anywhere := by.freezeOn == "" && (service == "postgres" || !isWrite(what) || conditional(what) ||
		givenUp(what))
	if by.freezeAt > 0 && nth >= by.freezeAt && (told || anywhere) && !by.froze.Swap(true) {
		w.happened("frozen", "%s stands still for %s before %s", by, by.freeze.Round(time.Second), what)

		if by.meanwhile != nil {
			by.meanwhile(by.execution)
		}

		time.Sleep(by.freeze)

		if ctx.Err() != nil {
			return nil, ctx.Err()
		}

		w.tell("  ~ %s wakes up", by)
	}

	die := func(when string) {
		w.happened("killed", "%s is killed %s %s", by, when, what)
		by.dead.Store(true)
		by.cancel()
	}

	dies := fault < w.dying
	if dies && chance < 0.5 {
		die("before")
		return nil, ctx.Err()
	}

	travel()

	if s := w.outages[service]; time.Now().After(s.from) && time.Now().Before(s.to) && chance < 0.9 {
		w.happened("out", "%s is out: %s of %s", service, what, by)

		return &awswire.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable",
			Message: "out, says the seed"}, nil
	}

	switch fault -= w.dying; {
	case dies:
	case fault < w.refused && chance < 0.5:
		w.happened("throttled", "%s of %s is throttled", what, by)

		return &awswire.Error{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException",
			Message: "slower, says the seed"}, nil
	case fault < w.refused:
		w.happened("5xx", "%s of %s fails", what, by)

		return &awswire.Error{Status: http.StatusInternalServerError, Code: "InternalError",
			Message: "oops, says the seed"}, nil
	case fault < w.refused+w.timingOut && chance < 0.5:
		w.happened("timed out before", "%s of %s is lost on its way", what, by)
		time.Sleep(time.Duration(d.Int64N(10e9)))
		lose(errTimedOut)

		return nil, errTimedOut
	case fault < w.refused+w.timingOut:
		w.happened("timed out after", "%s of %s takes effect, and times out", what, by)
		lose(errTimedOut)
		effect()
		time.Sleep(time.Duration(d.Int64N(10e9)))

		return nil, errTimedOut
	}

	effect()

	if dies {
		die("after")
		return nil, ctx.Err()
	}

	travel()

	return nil, nil
}

// conditional tells whether a write is refused where somebody else wrote since its writer looked.
func conditional(what string) bool {
	return strings.Contains(what, "/ledger/") || strings.HasPrefix(what, "UpdateAlias ")
}

// givenUp tells whether a write for which AWS has no condition is made soon after a look at the
// lock, or not at all.
func givenUp(what string) bool {
	return strings.HasPrefix(what, "UpdateStage ") || strings.HasPrefix(what, "PutParameter ") ||
		strings.Contains(what, "Object /"+app+"-site-") && !strings.Contains(what, "/assets/")
}

// witness knows whether a service did what it was asked for, also where its answer gets lost.
type witness struct {
	http.ResponseWriter
	lost   bool
	status int
}

func (w *witness) WriteHeader(status int) {
	if w.status = status; !w.lost {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *witness) Write(p []byte) (int, error) {
	if w.lost {
		return len(p), nil
	}

	return w.ResponseWriter.Write(p)
}

// query is a statement on its way to the database and back.
func (w *weather) query(ctx context.Context, what string, effect func()) error {
	by := invoked(ctx)
	if by == nil {
		effect()
		return nil
	}

	var lost error

	refusal, err := w.pass(ctx, by, "postgres", what, effect, func(err error) { lost = err })
	switch {
	case refusal != nil:
		return refusal
	case lost != nil:
		return lost
	}

	return err
}

// deliver lets events and schedules be late, lost for hours, and come twice.
func (w *weather) deliver(next cloud.Delivery) cloud.Delivery {
	return func(ctx context.Context, target string, input []byte) error {
		to := target[strings.LastIndexByte(target, ':')+1:]
		what := subject(input)
		d := dice(w.seed, "delivery", to, what, w.count(to+what))
		input = w.shift(input)

		wait := time.Duration(d.Int64N(int64(time.Second)))
		if strings.Contains(target, "sendTaskSuccess") {
			wait = time.Duration(d.Int64N(int64(30 * time.Second))) // it keeps to the minute at best
		}

		late, doubled, lost := d.Float64() < w.late, d.Float64() < w.doubled, d.Float64() < w.lost
		often := []time.Duration{wait}

		if !w.calm.Load() {
			if late {
				often[0] += time.Duration(d.Int64N(int64(4 * time.Minute)))
				w.happened("late", "%s to %s takes %s", what, to, often[0].Round(time.Second))
			}

			if doubled {
				often = append(often, wait+time.Duration(d.Int64N(int64(10*time.Minute))))
				w.happened("doubled", "%s to %s comes again after %s", what, to, often[1].Round(time.Second))
			}

			if lost {
				often[0] += time.Duration(d.Int64N(int64(5 * time.Hour)))
				w.happened("lost", "%s to %s is lost for %s", what, to, often[0].Round(time.Minute))
			}
		}

		first := make(chan error, 1)

		for i, wait := range often {
			w.undone.Add(1)
			w.waiting.Go(func() {
				defer w.undone.Add(-1)

				if pause(ctx, wait) != nil {
					return
				}

				if err := next(ctx, target, input); i == 0 {
					first <- err
				}
			})
		}

		select {
		case err := <-first:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// subject is what an event is about, without what is only random in it.
func subject(input []byte) string {
	var event struct {
		DetailType string `json:"detail-type"`
		Detail     struct{ AlarmName, Release, Action, Status string }
	}

	_ = json.Unmarshal(input, &event)
	d := event.Detail

	return strings.Join(strings.Fields(strings.Join([]string{event.DetailType, d.AlarmName, d.Release,
		d.Action, d.Status}, " ")), " ")
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// shift puts the time of an event to what a wrong clock says.
func (w *weather) shift(input []byte) []byte {
	var (
		event map[string]json.RawMessage
		at    time.Time
	)
	if w.clock == 0 || json.Unmarshal(input, &event) != nil ||
		json.Unmarshal(event["time"], &at) != nil {
		return input
	}

	event["time"], _ = json.Marshal(at.Add(w.clock).Truncate(time.Second))

	shifted, err := json.Marshal(event)
	if err != nil {
		panic(errors.New("an event that was JSON is none"))
	}

	return shifted
}
