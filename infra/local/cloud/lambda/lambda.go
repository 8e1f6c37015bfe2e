// Package lambda stands in for AWS Lambda. It serves functions, versions and aliases in the wire
// protocol of the SDK and the CLI, and is as strict as the real service. A Runner carries out the
// invocations: as processes on this machine, or as Go functions in tests under virtual time.
package lambda

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options configure a Service. Only Runner is required.
type Options struct {
	// Code fetches a deployment package that UpdateFunctionCode names by bucket and key.
	Code func(bucket, key string) ([]byte, error)
	// Runner runs the invocations. The Service closes it.
	Runner Runner
	// Observe is called after each invocation. resource is the alias or version that the caller named,
	// empty for none.
	Observe func(function, resource string, duration time.Duration, failed, throttled bool)
	Limits
}

// Limits are quotas and delays. The defaults are those of the real service.
type Limits struct {
	// ControlPlane is the quota in requests per second that all operations but Invoke and GetFunction
	// share. The default is 15.
	ControlPlane rate.Limit
	// GetFunction is the quota of GetFunction in requests per second. The default is 100.
	GetFunction rate.Limit
	// Concurrency is how many invocations may run at once. The default is 1000.
	Concurrency int
	// UpdateTime is how long LastUpdateStatus stays InProgress. The default is a second.
	UpdateTime time.Duration
	// RetryDelays are the delays before the second and third attempt of an asynchronous invocation.
	// The defaults are 1 and 2 minutes.
	RetryDelays []time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.ControlPlane == 0 {
		l.ControlPlane = 15
	}

	if l.GetFunction == 0 {
		l.GetFunction = 100
	}

	if l.Concurrency == 0 {
		l.Concurrency = 1000
	}

	if l.UpdateTime == 0 {
		l.UpdateTime = time.Second
	}

	if l.RetryDelays == nil {
		l.RetryDelays = []time.Duration{time.Minute, 2 * time.Minute}
	}

	return l
}

// Service is Lambda in one account and Region.
type Service struct {
	options Options
	mux     *http.ServeMux

	running context.Context // ends with Close, and every invocation with it
	stop    context.CancelFunc
	calls   sync.WaitGroup

	mu        sync.Mutex
	functions map[string]*function
	queue     map[string]queued // by request
	inFlight  int
	closed    bool
}

// New makes a Lambda without functions.
func New(options Options) *Service {
	options.Limits = options.withDefaults()
	s := &Service{options: options, functions: map[string]*function{}, queue: map[string]queued{}}
	s.running, s.stop = context.WithCancel(context.Background())
	s.mux = s.routes()

	return s
}

// Close ends every invocation and the Runner.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.calls.Wait()
	s.options.Runner.Close()
}
