package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/lambda"
	sm "lockstep/statemachine"
)

func TestVerboseLog(t *testing.T) {
	var out bytes.Buffer

	log := &verboseLog{function: "lockstep-shop-ramp", out: &out}
	for _, part := range []string{
		`{"time":"2026-01-01T00:00:00Z","level":"WA`, `RN","msg":"Ramp was called"}`,
		"\npanic: no level\n{\"level\":\"INFO\"}\nunended",
	} {
		if n, err := io.WriteString(log, part); n != len(part) || err != nil {
			t.Fatalf("write %q: got %d, %v", part, n, err)
		}
	}

	want := `WARN  lockstep-shop-ramp: {"time":"2026-01-01T00:00:00Z","level":"WARN","msg":"Ramp was called"}
-     lockstep-shop-ramp: panic: no level
INFO  lockstep-shop-ramp: {"level":"INFO"}
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The levels are those that slog writes, as Lockstep's Lambdas do.
func TestVerboseLog_Levels(t *testing.T) {
	var out bytes.Buffer

	logger := slog.New(slog.NewJSONHandler(&verboseLog{function: "f", out: &out}, nil))
	logger.Info("one")
	logger.Error("two")

	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `INFO  f: {"time":`) ||
		!strings.HasPrefix(lines[1], `ERROR f: {"time":`) {
		t.Errorf("got\n%s", out.String())
	}
}

// Every line goes to the file. Only with --verbose, and only Lockstep's own, does it go to the
// terminal too.
func TestFunctionLog(t *testing.T) {
	for name, c := range map[string]struct {
		verbose  bool
		function string
		printed  bool
	}{
		"a step":                          {true, config.LambdaName("shop", sm.Ramp), true},
		"a function of the application":   {true, config.FunctionName("shop", "orders"), false},
		"a step without --verbose":        {false, config.LambdaName("shop", sm.Ramp), false},
		"the step of another application": {true, config.LambdaName("other", sm.Ramp), false},
	} {
		t.Run(name, func(t *testing.T) {
			var file, terminal bytes.Buffer

			l := &local{options: options{verbose: c.verbose}, config: config.Config{App: "shop"},
				story: told(&terminal)}
			log := l.functionLog(&file, c.function)

			const line = `{"level":"INFO","msg":"a call"}` + "\n"
			if _, err := io.WriteString(log, line); err != nil {
				t.Fatal(err)
			}

			if file.String() != line {
				t.Errorf("the file has %q, expected %q", file.String(), line)
			}

			want := ""
			if c.printed {
				want = "INFO  " + c.function + ": " + line
			}

			if got := terminal.String(); got != want {
				t.Errorf("the terminal has %q, expected %q", got, want)
			}
		})
	}
}

// What the process of a Lambda writes to its standard error is printed.
func TestProcesses_Verbose(t *testing.T) {
	terminal := &terminal{}
	l := &local{
		options: options{verbose: true}, config: config.Config{App: "shop"},
		story: &story{out: terminal}, parts: parts{dir: t.TempDir()},
	}

	processes, err := l.processes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	service := lambda.New(lambda.Options{Runner: processes})
	defer service.Close()

	name := config.LambdaName("shop", sm.Ramp)
	script := "#!/bin/sh\necho '{\"level\":\"ERROR\",\"msg\":\"no\"}' >&2\nexit 1\n"

	_, err = service.Create(lambda.Function{
		Name: name, Zip: bootstrap([]byte(script)), Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	if _, failed, err := service.Invoke(t.Context(), name, []byte("{}")); failed == "" || err != nil {
		t.Fatalf("got %q, %v, expected a call that fails", failed, err)
	}

	want := "ERROR " + name + `: {"level":"ERROR","msg":"no"}`
	if got := terminal.String(); !strings.Contains(got, want) {
		t.Errorf("got %q, expected %q in it", got, want)
	}
}

// terminal is a buffer that several processes may write to.
type terminal struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *terminal) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.Buffer.Write(data)
}

func (s *terminal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.Buffer.String()
}
