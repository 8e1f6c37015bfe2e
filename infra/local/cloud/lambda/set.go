package lambda

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// initTime is how long AWS waits for a process to ask for its first invocation. After it the
// process has the function's timeout in addition.
const initTime = 10 * time.Second

// set has the processes of one version.
type set struct {
	processes *Processes
	version   Version
	unpack    func() (folder string, err error)
	places    chan struct{} // one for each live process
	idle      chan *process // the processes that wait for work

	// Guarded by processes.mu.
	calls int
	reap  *time.Timer

	mu     sync.Mutex
	live   map[*process]struct{}
	closed bool
}

func newSet(p *Processes, v Version) *set {
	return &set{
		processes: p, version: v,
		unpack: sync.OnceValues(func() (string, error) { return unzip(p.options.Root, v) }),
		places: make(chan struct{}, p.options.Concurrency),
		idle:   make(chan *process, p.options.Concurrency),
		live:   map[*process]struct{}{},
	}
}

// run hands the call to a process. If a process died while it was idle, run tries another one.
func (s *set) run(ctx context.Context, call Call) ([]byte, string, error) {
	for {
		p, err := s.acquire(ctx)
		if err != nil {
			return answerOf(call, err)
		}

		p.listed.Store(false)

		w := &work{
			call: call, deadline: time.Now().Add(s.version.Timeout),
			answer: make(chan answer, 1), over: make(chan struct{}),
		}

		select {
		case p.work <- w:
			a, err := p.await(ctx, w, s.version.Timeout)
			return a.payload, a.functionError, err
		case <-p.dead:
		case <-ctx.Done():
			p.kill()
			return answerOf(call, ctx.Err())
		}
	}
}

// acquire takes an idle process, or starts one if the version may have more processes.
func (s *set) acquire(ctx context.Context) (*process, error) {
	select {
	case p := <-s.idle:
		return p, nil
	default:
	}

	select {
	case p := <-s.idle:
		return p, nil
	case s.places <- struct{}{}:
		return s.start(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// start starts a process and waits until it asks for work. Its place is free again when it has
// ended.
func (s *set) start(ctx context.Context) (*process, error) {
	folder, err := s.unpack()
	if err != nil {
		<-s.places
		return nil, err
	}

	p, err := newProcess(s, folder)
	if err != nil {
		<-s.places
		return nil, err
	}

	if !s.register(p) {
		p.kill()
	}
	go p.wait()

	limit := time.NewTimer(initTime + s.version.Timeout)
	defer limit.Stop()

	select {
	case <-p.ready:
		return p, nil
	case body := <-p.initFailed:
		err = &initError{body: body}
	case <-p.dead:
		err = &initError{exit: p.exit}
	case <-limit.C:
		err = &initError{slow: initTime + s.version.Timeout}
	case <-ctx.Done():
		err = ctx.Err()
	}

	p.kill()
	<-p.dead

	return nil, err
}

// register adds a process that close must end. After close it returns false.
func (s *set) register(p *process) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.live[p] = struct{}{}

	return !s.closed
}

func (s *set) forget(p *process) {
	s.mu.Lock()
	delete(s.live, p)
	s.mu.Unlock()
	<-s.places
}

// close kills the processes, waits until they are gone and removes their folder.
func (s *set) close() {
	s.mu.Lock()
	s.closed = true

	var live []*process
	for p := range s.live {
		live = append(live, p)
	}
	s.mu.Unlock()

	for _, p := range live {
		p.kill()
	}

	for _, p := range live {
		<-p.dead
	}

	if folder, err := s.unpack(); err == nil {
		_ = os.RemoveAll(folder)
	}
}

// answerOf turns the failure of a function to start into an answer for the caller. Any other error
// means that this machine could not run the function.
func answerOf(call Call, err error) ([]byte, string, error) {
	if failed, ok := asInitError(err); ok {
		payload, functionError := failed.answer(call)
		return payload, functionError, nil
	}

	return nil, "", fmt.Errorf("invoke %s: %w", call.ARN, err)
}
