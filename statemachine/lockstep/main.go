// Lockstep is the operator's command: it uploads releases, shows the one under way, and sends it
// signals. It finds AWS as every AWS tool does; AWS_ENDPOINT_URL points it at a local run.
//
// Exit codes: 0 done, or released; 1 rolled back; 2 bad input, or refused; 3 superseded; 4 cannot
// reach AWS; 5 doctor or repair leaves drift; 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lockstep/statemachine"
)

const (
	exitRolledBack  = 1
	exitRefused     = 2
	exitSuperseded  = 3
	exitUnreachable = 4
	exitDrift       = 5
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, configure))
}

// run carries the command line out and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer,
	configure func(context.Context) (aws.Config, error)) (code int) {
	defer func() {
		switch ended := recover().(type) {
		case nil:
		case exit:
			code = int(ended)
		default:
			panic(ended)
		}
	}()

	var a arguments

	parser, err := newParser(&a, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "lockstep:", err)
		return exitRefused
	}

	completeLine(parser)

	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "lockstep: %s; see lockstep --help\n", err)
		return exitRefused
	}

	s := &session{ctx: ctx, arguments: &a, stdout: stdout, stderr: stderr, configure: configure}
	err = command.Run(s, signalKind(command.Command()))

	return report(ctx, err, stderr)
}

// report prints an error in one line and returns the exit code that it stands for.
func report(ctx context.Context, err error, stderr io.Writer) int {
	var (
		end   *endedError
		drift *driftError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &end):
		fmt.Fprintln(stderr, "lockstep:", end)
		return end.code()
	case errors.As(err, &drift):
		fmt.Fprintln(stderr, "lockstep:", drift)
		return exitDrift
	case ctx.Err() != nil:
		return exitInterrupted
	}

	fmt.Fprintln(stderr, "lockstep:", explain(err))

	switch statemachine.Name(err) {
	case statemachine.InvalidRelease, statemachine.IncompatibleMigration:
		return exitRefused
	}

	return exitUnreachable
}

// signalKind is what a command sends: pause, resume, ...
func signalKind(command string) statemachine.SignalKind {
	name, _, _ := strings.Cut(command, " ")
	return statemachine.SignalKind(name)
}

// endedError is a release that ended otherwise than released.
type endedError struct {
	release string
	outcome statemachine.Outcome
	cause   string
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%s was %s: %s", e.release, e.outcome, e.cause)
}

func (e *endedError) code() int {
	switch e.outcome {
	case statemachine.Superseded:
		return exitSuperseded
	case statemachine.Refused:
		return exitRefused
	}

	return exitRolledBack
}
