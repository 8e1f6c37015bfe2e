package main

import (
	"io"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"lockstep/statemachine"
)

// arguments is the command line.
type arguments struct {
	StateBucket string `help:"${bucket_help}" env:"${bucket_env}" aliases:"bucket" placeholder:"NAME"`
	App         string `help:"Only if this is the state bucket's application." placeholder:"NAME"`
	Bus         string `help:"The event bus, instead of the one in settings.json." placeholder:"NAME"`

	Version kong.VersionFlag `help:"Print the version, the commit and the Go version."`

	Release  releaseCommand  `cmd:"" help:"Upload the release in a folder and start it."`
	Status   statusCommand   `cmd:"" help:"Show the release under way, or the last one."`
	Preview  previewCommand  `cmd:"" help:"Print the link to the release under way, for testers."`
	Pause    signalCommand   `cmd:"" help:"Hold the ramp at its weight."`
	Resume   signalCommand   `cmd:"" help:"End a pause: the ramp goes on."`
	Advance  signalCommand   `cmd:"" help:"End this bake and take the next step."`
	Promote  signalCommand   `cmd:"" help:"Skip the rest of the ramp."`
	Approve  signalCommand   `cmd:"" help:"Approve the step that waits for it."`
	Contract signalCommand   `cmd:"" help:"End the hold after the drain: the point of no return."`
	Rollback signalCommand   `cmd:"" help:"Move every viewer back to the fallback."`
	Freeze   freezeCommand   `cmd:"" help:"Hold every ramp and every new release, but no rollback."`
	Unfreeze unfreezeCommand `cmd:"" help:"Lift the freeze."`
	Doctor   doctorCommand   `cmd:"" help:"Show any drift, and what repair would do about it."`
	Repair   repairCommand   `cmd:"" help:"Repair any drift, and what a failed rollback left behind."`

	Completion completionCommand `cmd:"" help:"Print the script that completes lockstep in a shell."`
}

const (
	description = `Releases every layer of a web application in lockstep.

Exit codes: 0 done or released, 1 rolled back, 2 bad input or refused, 3 superseded,
4 cannot reach AWS, 5 drift is left (doctor, repair).`

	bucketHelp = "The bucket with the ledger and the releases; an output of the stack."
)

// examples has the lines that --help shows of each command.
var examples = map[string][]string{
	"release": {"lockstep release dist --wait",
		`lockstep release dist --hotfix --reason "checkout is down"`},
	"status":   {"lockstep status --watch", "lockstep status v56 --json"},
	"preview":  {"lockstep preview /cart"},
	"pause":    {`lockstep pause --reason "looking into the latency"`},
	"resume":   {"lockstep resume"},
	"advance":  {"lockstep advance --release v56"},
	"promote":  {`lockstep promote --reason "watched for an hour"`},
	"approve":  {"lockstep approve --release v56"},
	"contract": {"lockstep contract --release v56"},
	"rollback": {`lockstep rollback --reason "prices are wrong"`},
	"freeze":   {`lockstep freeze --reason "no releases during the sale"`},
	"unfreeze": {"lockstep unfreeze"},
	"doctor":   {"lockstep doctor --json"},
	"repair":   {"lockstep repair --dry-run", "lockstep repair"},
	"completion": {"source <(lockstep completion bash)   # in ~/.bashrc",
		"source <(lockstep completion zsh)    # in ~/.zshrc",
		"lockstep completion fish | source    # in ~/.config/fish/config.fish"},
}

// exit is the code with which kong ends the command once it printed the help or the version.
type exit int

// newParser reads a command line into a. What would end the process panics with an exit instead.
func newParser(a *arguments, stdout, stderr io.Writer) (*kong.Kong, error) {
	info, _ := debug.ReadBuildInfo()

	parser, err := kong.New(a, kong.Name("lockstep"), kong.Description(description),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{
			"version":     describeBuild(version, info),
			"bucket_help": bucketHelp,
			"bucket_env":  statemachine.StateBucketVariable,
		})
	if err != nil {
		return nil, err
	}

	for _, command := range parser.Model.Children {
		command.Detail = "For example:\n\n\t" + strings.Join(examples[command.Name], "\n\t")
	}

	return parser, nil
}
