// Package lambda stands in for AWS Lambda: functions, versions and aliases over the wire as the
// SDK and the CLI speak it, and invocations that a Runner carries out. It exists so that a release
// can be played through on one machine, or in a test under virtual time, against something as
// strict as the real one.
package lambda

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options say what a Service stands on. Only Runner is required.
type Options struct {
	// Code fetches a deployment package that UpdateFunctionCode names by bucket and key.
	Code func(bucket, key string) ([]byte, error)
	// Runner runs what is invoked. The Service closes it.
	Runner Runner
	// Observe is told of each invocation when it is over: resource is the alias or version that the
	// caller named, empty where they named none.
	Observe func(function, resource string, duration time.Duration, failed, throttled bool)
	Limits
}

// Limits are the quotas and delays of the real service; zero values stand for its own numbers.
type Limits struct {
	// ControlPlane is how many requests a second all operations share, but for Invoke and GetFunction:
	// 15.
	ControlPlane rate.Limit
	// GetFunction has a quota of its own: 100.
	GetFunction rate.Limit
	// Concurrency is how many invocations may run at once: 1000.
	Concurrency int
	// UpdateTime is how long LastUpdateStatus stays InProgress: a second.
	UpdateTime time.Duration
	// RetryDelays come before the second and third attempt of an asynchronous invocation: 1 and 2
	// minutes.
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
