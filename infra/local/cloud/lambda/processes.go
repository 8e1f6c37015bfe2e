package lambda

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// ProcessOptions configure Processes. Only Root is required.
type ProcessOptions struct {
	// Root is the folder below which each version's code is unzipped.
	Root string
	// Environment goes to every process: AWS_ENDPOINT_URL, HTTP_PROXY and the like.
	Environment map[string]string
	// Concurrency is how many processes a version may have. Further calls wait for an idle process.
	// The default is 10.
	Concurrency int
	// Idle is the time without a call after which the processes and the folder of a version are
	// removed. The default is a minute.
	Idle time.Duration
	// Log returns the writer for a function's standard output and error. It must be safe for
	// concurrent use. The default discards the output.
	Log func(function string) io.Writer
}

// Processes is a Runner that runs the bootstrap of a version as processes of this machine, each
// with its own Runtime API.
type Processes struct {
	options ProcessOptions
	forks   chan func()
	closed  chan struct{}

	mu   sync.Mutex
	sets map[string]*set
}

// NewProcesses makes a Runner of real processes.
func NewProcesses(options ProcessOptions) (*Processes, error) {
	if err := os.MkdirAll(options.Root, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for the functions' code: %w", err)
	}

	options.Concurrency = orDefault(options.Concurrency, 10)

	options.Idle = orDefault(options.Idle, time.Minute)
	if options.Log == nil {
		options.Log = func(string) io.Writer { return io.Discard }
	}

	p := &Processes{options: options, forks: make(chan func()), closed: make(chan struct{}),
		sets: map[string]*set{}}
	go p.fork()

	return p, nil
}

// fork starts every process from one thread that lives as long as p. On Linux a child with a
// parent-death signal ends with the thread that started it.
func (p *Processes) fork() {
	runtime.LockOSThread()

	for {
		select {
		case start := <-p.forks:
			start()
		case <-p.closed:
			return
		}
	}
}

func (p *Processes) start(cmd *exec.Cmd) error {
	started := make(chan error, 1)

	select {
	case p.forks <- func() { started <- cmd.Start() }:
		return <-started
	case <-p.closed:
		return os.ErrClosed
	}
}

// Run runs a call on an idle process of the version, or starts one.
func (p *Processes) Run(ctx context.Context, v Version, call Call) ([]byte, string, error) {
	s, err := p.enter(v)
	if err != nil {
		return nil, "", fmt.Errorf("invoke %s: %w", call.ARN, err)
	}
	defer p.leave(s)

	return s.run(ctx, call)
}

// enter finds the set of the version's processes and prevents its removal until leave.
func (p *Processes) enter(v Version) (*set, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.sets == nil {
		return nil, os.ErrClosed
	}

	key := v.Function + ":" + v.Version + ":" + v.CodeSHA256

	s := p.sets[key]
	if s == nil {
		s = newSet(p, v)
		s.reap = time.AfterFunc(p.options.Idle, func() { p.reap(key) })
		p.sets[key] = s
	}

	s.reap.Stop()
	s.calls++

	return s, nil
}

func (p *Processes) leave(s *set) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if s.calls--; s.calls == 0 {
		s.reap.Reset(p.options.Idle)
	}
}

func (p *Processes) reap(key string) {
	p.mu.Lock()

	s := p.sets[key]
	if s == nil || s.calls > 0 {
		p.mu.Unlock()
		return
	}

	delete(p.sets, key)
	p.mu.Unlock()
	s.close()
}

// Close kills all processes and their children, and removes the code.
func (p *Processes) Close() {
	p.mu.Lock()
	sets := p.sets
	p.sets = nil
	p.mu.Unlock()

	if sets == nil {
		return
	}

	for _, s := range sets {
		s.reap.Stop()
		s.close()
	}

	close(p.closed)
}
