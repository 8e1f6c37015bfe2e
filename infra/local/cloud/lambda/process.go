package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// process is one execution environment: a bootstrap process with its own Runtime API.
type process struct {
	set        *set
	cmd        *exec.Cmd
	kill       context.CancelFunc
	api        *http.Server
	ready      chan struct{} // closed when it first asks for work
	initFailed chan []byte
	work       chan *work
	dead       chan struct{} // closed when it has ended, after exit was set
	exit       error

	firstNext sync.Once
	listed    atomic.Bool // it is in set.idle
	mu        sync.Mutex
	current   *work
}

// work is a call that a process carries out.
type work struct {
	call     Call
	deadline time.Time
	answer   chan answer
	over     chan struct{} // closed when the process asks for the next call
}

type answer struct {
	payload       []byte
	functionError string
}

func newProcess(s *set, folder string) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime of %s: %w", s.version.Function, err)
	}

	alive, kill := context.WithCancel(context.Background())
	p := &process{
		set: s, kill: kill, ready: make(chan struct{}), initFailed: make(chan []byte, 1),
		work: make(chan *work), dead: make(chan struct{}),
	}
	p.api = &http.Server{Handler: p.runtimeAPI()}
	p.cmd = exec.CommandContext(alive, filepath.Join(folder, "bootstrap"))
	p.cmd.Dir = folder
	p.cmd.Env = environ(s.version, s.processes.options.Environment, folder, listener.Addr().String())
	output := s.processes.options.Log(s.version.Function)
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = groupAttributes()
	p.cmd.Cancel = func() error { return killGroup(p.cmd.Process) }
	p.cmd.WaitDelay = time.Second // a grandchild may hold the output open

	if err := s.processes.start(p.cmd); err != nil {
		kill()
		listener.Close()

		return nil, &initError{entrypoint: err}
	}
	go func() { _ = p.api.Serve(listener) }()

	return p, nil
}

// wait waits for the end of the process and releases what belongs to it.
func (p *process) wait() {
	p.exit = p.cmd.Wait()
	_ = killGroup(p.cmd.Process)
	p.kill()
	_ = p.api.Close()
	close(p.dead)
	p.set.forget(p)
}

// await is the invoke phase. As on AWS it lasts until the process asks for the next call, not just
// until it has answered: then the process is idle for the next caller, or a panic has ended it.
func (p *process) await(ctx context.Context, w *work, timeout time.Duration) (answer, error) {
	timer := time.NewTimer(time.Until(w.deadline))
	defer timer.Stop()

	late := false

	select {
	case <-w.over:
	case <-p.dead:
	case <-timer.C:
		late = true

		p.kill()
		<-p.dead
	case <-ctx.Done():
		p.kill()
		<-p.dead

		return answer{}, fmt.Errorf("invoke %s: %w", w.call.ARN, ctx.Err())
	}

	var a answer
	select {
	case a = <-w.answer:
	default:
		if late {
			a.payload, a.functionError = timedOut(w.call, timeout)
		} else {
			a.payload, a.functionError = exited(w.call, p.exit)
		}
	}

	return a, nil
}

// initError is the failure of a process that ended before it asked for work.
type initError struct {
	entrypoint error         // the bootstrap could not be started
	body       []byte        // the error that the process reported
	slow       time.Duration // the limit that it exceeded
	exit       error         // how it ended
}

func (e *initError) Error() string {
	payload, _ := e.answer(Call{})
	return "start the function: " + string(payload)
}

func (e *initError) answer(call Call) ([]byte, string) {
	switch {
	case e.entrypoint != nil:
		return failure("Runtime.InvalidEntrypoint", fmt.Sprintf(
			"RequestId: %s Error: Couldn't start bootstrap: %v", call.RequestID, e.entrypoint))
	case e.body != nil:
		return e.body, unhandled
	case e.slow != 0:
		return timedOut(call, e.slow)
	}

	return exited(call, e.exit)
}

func asInitError(err error) (*initError, bool) {
	return errors.AsType[*initError](err)
}
