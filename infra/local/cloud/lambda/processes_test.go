//go:build unix

package lambda_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
)

// echoZip is a package of testdata/echo, built once.
var echoZip = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "echo")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)

	bootstrap := filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", bootstrap, "./testdata/echo")

	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(output)))
	}

	data, err := os.ReadFile(bootstrap)
	if err != nil {
		return nil, err
	}

	return pack("bootstrap", data)
})

// log is the output of a function, whose processes write concurrently.
type log struct {
	mu sync.Mutex
	strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.Builder.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.Builder.String()
}

// processes gives a test a Lambda of real processes with the function echo.
func processes(t *testing.T, options lambda.ProcessOptions, f lambda.Function) (*lambda.Service,
	*log) {
	t.Helper()

	zip, err := echoZip()
	if err != nil {
		t.Fatal(err)
	}

	output := &log{}
	options.Root = t.TempDir()
	options.Log = func(string) io.Writer { return output }

	runner, err := lambda.NewProcesses(options)
	if err != nil {
		t.Fatal(err)
	}

	s := lambda.New(lambda.Options{Runner: runner})
	t.Cleanup(s.Close)

	f.Name, f.Zip = "echo", zip
	if f.Timeout == 0 {
		f.Timeout = 30 * time.Second
	}

	if _, err := s.Create(f); err != nil {
		t.Fatal(err)
	}

	return s, output
}

type reply struct {
	Pid                             int
	Arn, Request, Version, Variable string
	Left                            int64
	ErrorType, ErrorMessage         string
	functionError                   string
}

func call(t *testing.T, s *lambda.Service, name, event string) reply {
	t.Helper()

	payload, functionError, err := s.Invoke(t.Context(), name, []byte(event))
	if err != nil {
		t.Errorf("invoke %s with %s: %v", name, event, err)
	}

	r := reply{functionError: functionError}
	if err := json.Unmarshal(payload, &r); err != nil {
		t.Errorf("invoke %s with %s: got %s: %v", name, event, payload, err)
	}

	return r
}

// gone waits until no process has the id any more.
func gone(t *testing.T, pid int) {
	t.Helper()

	for end := time.Now().Add(
		10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return
		}
	}

	t.Errorf("process %d is still there", pid)
}

func TestProcesses_WarmStartsKeepTheProcess(t *testing.T) {
	s, output := processes(t, lambda.ProcessOptions{Environment: map[string]string{"GREETING": "every",
		"OTHER": "every"}},
		lambda.Function{Environment: map[string]string{"GREETING": "own"}})
	first := call(t, s, "echo", `{"name":"GREETING"}`)

	second := call(t, s, "echo:$LATEST", `{"name":"OTHER","do":"speak"}`)
	if first.Pid == 0 || first.Pid != second.Pid || first.Request == second.Request {
		t.Errorf("got %+v then %+v, want one process and two requests", first, second)
	}

	if first.Variable != "own" || second.Variable != "every" {
		t.Errorf("environment: got %q and %q, want own and every", first.Variable, second.Variable)
	}

	if second.Arn != wire.ARN("lambda", "function:echo:$LATEST") || second.Version != "$LATEST" ||
		second.Left < 20000 || second.Left > 30000 {
		t.Errorf("got %+v, want its ARN, its version and some 30 s left", second)
	}

	s.Close()
	gone(t, first.Pid)

	if !strings.Contains(output.String(), "echo speak\n") {
		t.Errorf("log: got %q, want what the function printed", output)
	}
}

func TestProcesses_WhatAFunctionStartedEndsWithIt(t *testing.T) {
	for how, end := range map[string]func(s *lambda.Service, pid int){
		"at Close":         func(s *lambda.Service, _ int) { s.Close() },
		"killed from afar": func(_ *lambda.Service, pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) },
	} {
		t.Run(how, func(t *testing.T) {
			// The pipe ends when the last process that could write to it has ended, reaped or not.
			path := filepath.Join(t.TempDir(), "held")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}

			held, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()

			s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{})
			got := call(t, s, "echo", `{"do":"spawn","name":"`+path+`"}`)

			_ = held.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := held.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("before the end: got %v, want what the function started to be there", err)
			}

			end(s, got.Pid)

			_ = held.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := held.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: got %v, want what the function started to be gone", err)
			}
		})
	}
}

func TestProcesses_EachVersionHasItsOwn(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{})
	if _, err := s.Publish("echo"); err != nil {
		t.Fatal(err)
	}

	if err := errors.Join(s.Alias("echo", "a", "1"), s.Alias("echo", "b", "1")); err != nil {
		t.Fatal(err)
	}

	latest, a, b := call(t, s, "echo", `{}`), call(t, s, "echo:a", `{}`), call(t, s, "echo:b", `{}`)
	if a.Pid != b.Pid || a.Pid == latest.Pid || a.Version != "1" || latest.Version != "$LATEST" {
		t.Errorf("got %+v, %+v and %+v, want the aliases on one process of version 1", latest, a, b)
	}

	if a.Arn != wire.ARN("lambda", "function:echo:a") ||
		b.Arn != wire.ARN("lambda", "function:echo:b") {
		t.Errorf("got %s and %s, want the ARN that the caller named", a.Arn, b.Arn)
	}
}

func TestProcesses_Failures(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{})
	for _, tc := range []struct {
		do, errorType, message string
		survives               bool
	}{
		{"error", "refused", "not today", true},
		{"named", "StaleWrite", "someone was faster", true},
		{"panic", "string", "no way", false},
		{"exit", "Runtime.ExitError", "Runtime exited with error: exit status 3", false},
	} {
		before := call(t, s, "echo", `{}`)

		got := call(t, s, "echo", `{"do":"`+tc.do+`"}`)
		if got.functionError != "Unhandled" || got.ErrorType != tc.errorType ||
			!strings.Contains(got.ErrorMessage, tc.message) {
			t.Errorf("%s: got %+v, want %s: %s", tc.do, got, tc.errorType, tc.message)
		}

		if after := call(t, s, "echo", `{}`); after.functionError != "" ||
			(after.Pid == before.Pid) != tc.survives {
			t.Errorf("%s: process %d, then %d, want the same: %t", tc.do, before.Pid, after.Pid, tc.survives)
		}
	}
}

func TestProcesses_KilledInTheMiddleOfACall(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{})
	victim := call(t, s, "echo", `{}`).Pid

	time.AfterFunc(200*time.Millisecond, func() { _ = syscall.Kill(victim, syscall.SIGKILL) })

	got := call(t, s, "echo", `{"do":"sleep","milliseconds":20000}`)
	if got.ErrorType != "Runtime.ExitError" || !strings.HasSuffix(got.ErrorMessage, "signal: killed") {
		t.Errorf("got %+v, want Runtime.ExitError", got)
	}

	next := call(t, s, "echo", `{}`)
	if next.functionError != "" || next.Pid == victim {
		t.Errorf("got %+v, want a new process", next)
	}

	if err := syscall.Kill(next.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	gone(t, next.Pid)

	if got := call(t, s, "echo", `{}`); got.functionError != "" {
		t.Errorf("after a kill while idle: got %+v, want an answer", got)
	}
}

func TestProcesses_TimeoutKills(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{Timeout: time.Second})
	pid := call(t, s, "echo", `{}`).Pid

	got := call(t, s, "echo", `{"do":"sleep","milliseconds":20000}`)
	if got.functionError != "Unhandled" || !strings.HasSuffix(got.ErrorMessage,
		"Task timed out after 1.00 seconds") {
		t.Errorf("got %+v, want a timeout", got)
	}

	gone(t, pid)

	if got := call(t, s, "echo", `{}`); got.functionError != "" {
		t.Errorf("after the timeout: got %+v", got)
	}
}

func TestProcesses_ConcurrencyGrowsToItsBound(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{Concurrency: 3}, lambda.Function{})
	replies := make(chan reply)

	for range 9 {
		go func() { replies <- call(t, s, "echo", `{"do":"sleep","milliseconds":300}`) }()
	}

	pids := map[int]bool{}
	for range 9 {
		pids[(<-replies).Pid] = true
	}

	if len(pids) != 3 || pids[0] {
		t.Errorf("9 calls ran on processes %v, want 3", pids)
	}
}

func TestProcesses_UnusedVersionsAreReaped(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{Idle: 50 * time.Millisecond}, lambda.Function{})
	first := call(t, s, "echo", `{"do":"sleep","milliseconds":200}`)
	gone(t, first.Pid)

	if got := call(t, s, "echo", `{}`); got.functionError != "" || got.Pid == first.Pid {
		t.Errorf("after the reaping: got %+v, want a new process", got)
	}
}

func TestProcesses_CodeThatDoesNotStart(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{},
		lambda.Function{Environment: map[string]string{"BROKEN": "1"}})
	if got := call(t, s, "echo", `{}`); got.ErrorType != "Runtime.ExitError" ||
		!strings.HasSuffix(got.ErrorMessage, "exit status 1") {
		t.Errorf("ends at once: got %+v", got)
	}

	if _, err := s.Create(lambda.Function{Name: "empty",
		Zip: zipOf(t, "readme", "no bootstrap")}); err != nil {
		t.Fatal(err)
	}

	if got := call(t, s, "empty", `{}`); got.ErrorType != "Runtime.InvalidEntrypoint" {
		t.Errorf("no bootstrap: got %+v", got)
	}
}

func TestProcesses_CloseEndsCallsUnderWay(t *testing.T) {
	s, _ := processes(t, lambda.ProcessOptions{}, lambda.Function{})
	pid := call(t, s, "echo", `{}`).Pid
	ended := make(chan error)

	go func() {
		_, _, err := s.Invoke(t.Context(), "echo", []byte(`{"do":"sleep","milliseconds":20000}`))
		ended <- err
	}()

	time.Sleep(200 * time.Millisecond)
	s.Close()

	if err := <-ended; err == nil {
		t.Error("the call ended without an error")
	}

	gone(t, pid)
}
