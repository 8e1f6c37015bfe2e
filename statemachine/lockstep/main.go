// Lockstep is the operator's command: it uploads releases, shows the one under way, and speaks to
// it. It asks AWS as every AWS tool does; AWS_ENDPOINT_URL points it at a run on one machine.
//
// Exit codes: 0 done, or released; 1 rolled back; 2 bad input, or refused; 3 superseded; 4 AWS
// could not be asked; 5 doctor or repair leaves something inconsistent; 130 interrupted.
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

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"

	"lockstep/statemachine"
)

const (
	exitRolledBack  = 1
	exitRefused     = 2
	exitSuperseded  = 3
	exitUnreachable = 4
	exitInterrupted = 130
)

// arguments is the command line.
type arguments struct {
	StateBucket string `help:"The bucket with the releases, the ledger and settings.json." env:"LOCKSTEP_STATE_BUCKET" aliases:"bucket" placeholder:"NAME"`
	App         string `help:"The application; settings.json says it otherwise." placeholder:"NAME"`
	Bus         string `help:"The event bus; settings.json says it otherwise." placeholder:"NAME"`

	Release  releaseCommand  `cmd:"" help:"Upload the release in a folder and start it."`
	Status   statusCommand   `cmd:"" help:"Show the release under way, or the last one."`
	Preview  previewCommand  `cmd:"" help:"Print the link with which testers reach the release under way at any weight."`
	Pause    operatorCommand `cmd:"" help:"Stop the ramp where it is."`
	Resume   operatorCommand `cmd:"" help:"Let the ramp go on."`
	Advance  operatorCommand `cmd:"" help:"End this bake and take the next step."`
	Promote  operatorCommand `cmd:"" help:"Skip the rest of the ramp."`
	Approve  operatorCommand `cmd:"" help:"Let the step begin that waits for an approval."`
	Contract operatorCommand `cmd:"" help:"End the hold after the drain: no way back from there."`
	Rollback operatorCommand `cmd:"" help:"Take everyone back to the fallback."`
	Freeze   freezeCommand   `cmd:"" help:"Let no release grow or begin; rolling back stays possible."`
	Unfreeze unfreezeCommand `cmd:"" help:"Lift the freeze."`
	Doctor   doctorCommand   `cmd:"" help:"Say what is inconsistent, and what repair would do about it."`
	Repair   repairCommand   `cmd:"" help:"Make everything what the ledger says, and clear what a failed rollback left."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, configure))
}

// run carries the command line out and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer,
	configure func(context.Context) (aws.Config, error)) int {
	var a arguments

	parser, err := kong.New(&a, kong.Name("lockstep"), kong.Writers(stdout, stderr),
		kong.Description("Releases every layer of a web application in lockstep.\n\n"+
			"Exit codes: 0 done or released, 1 rolled back, 2 bad input or refused, 3 superseded, 4 AWS "+
			"could not be asked, 5 something is left inconsistent (doctor, repair)."))
	if err != nil {
		fmt.Fprintln(stderr, "lockstep:", err)
		return exitRefused
	}

	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "lockstep: %s; see lockstep --help\n", err)
		return exitRefused
	}

	s := &session{ctx: ctx, arguments: &a, stdout: stdout, stderr: stderr, configure: configure}
	err = command.Run(s, action(command.Command()))

	var (
		end  *ended
		left *inconsistent
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &end):
		fmt.Fprintln(stderr, "lockstep:", end)
		return end.code()
	case errors.As(err, &left):
		fmt.Fprintln(stderr, "lockstep:", left)
		return exitInconsistent
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

// action is the request that an operator's command stands for: pause, resume, ...
func action(command string) statemachine.SignalKind {
	name, _, _ := strings.Cut(command, " ")
	return statemachine.SignalKind(name)
}

// ended is a release that ended otherwise than released.
type ended struct {
	release string
	outcome statemachine.Outcome
	cause   string
}

func (e *ended) Error() string {
	return fmt.Sprintf("%s was %s: %s", e.release, e.outcome, e.cause)
}

func (e *ended) code() int {
	switch e.outcome {
	case statemachine.Superseded:
		return exitSuperseded
	case statemachine.Refused:
		return exitRefused
	}

	return exitRolledBack
}
