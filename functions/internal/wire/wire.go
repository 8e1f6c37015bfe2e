// Package wire gives each step its adapters: what the mains of the Lambdas start, and what tests run in
// process over the same clients.
package wire

import (
	"context"
	"crypto/rand"
	"log"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/entry"
	"lockstep/functions/internal/step"
	"lockstep/statemachine"
)

// Run is a step, ready to be called.
type Run[In, Out any] func(ctx context.Context, in In) (Out, error)

// Step hands a step its document, which says by which call it came.
func Step(run Run[statemachine.Document, statemachine.Document]) Run[statemachine.StepInput, statemachine.Document] {
	return func(ctx context.Context, in statemachine.StepInput) (statemachine.Document, error) {
		in.Document.Asked = in.Asked
		return run(ctx, in.Document)
	}
}

// Start is the whole main of a Lambda.
func Start[In, Out any](build func(*aws.Cloud) Run[In, Out]) {
	cloud, err := aws.Connect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	entry.Start(build(cloud))
}

// Book is the ledger as the steps use it.
func Book(c *aws.Cloud) step.Book {
	return step.Book{App: c.Settings.App, Ledger: c.Ledger(), Bus: c.Bus(), Queue: c.Settings.Queue}
}

// Leveler makes one environment what another is.
func Leveler(c *aws.Cloud) step.Leveler {
	return step.Leveler{Book: Book(c), Settings: c.Settings, Bundles: c.Bundles(), Versions: c.Functions(), Stages: c.Stages(), Sites: c.Sites()}
}

func witness(c *aws.Cloud) step.Witness {
	return step.Witness{Settings: c.Settings, Alarms: c.Metrics(), Traffic: c.Metrics()}
}

// Sync wires step.Sync.
func Sync(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Sync{Leveler: Leveler(c)}).Run)
}

// Deploy wires step.Deploy.
func Deploy(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Deploy{Leveler: Leveler(c), Routes: c.Routes(), Secret: rand.Text}).Run)
}

// Probe wires step.Probe.
func Probe(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Probe{Book: Book(c), Settings: c.Settings, Bundles: c.Bundles(), Sites: c.Sites(), HTTP: c.HTTP(), Lambdas: c.Lambdas()}).Run)
}

// Ramp wires step.Ramp.
func Ramp(c *aws.Cloud) Run[statemachine.RampInput, statemachine.Document] {
	return (&step.Ramp{Book: Book(c), Settings: c.Settings, Routes: c.Routes(), Schedules: c.Schedule(), Freeze: c.Freeze(), Answers: c.Machine(), Traffic: c.Metrics()}).Run
}

// CheckAlarms wires step.CheckAlarms.
func CheckAlarms(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.CheckAlarms{Book: Book(c), Witness: witness(c)}).Run)
}

// Promote wires step.Promote.
func Promote(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	follower := step.Follower{Book: Book(c), Settings: c.Settings, Versions: c.Functions()}
	return Step((&step.Promote{Follower: follower, Routes: c.Routes(), Roles: c.Control(), Schedules: c.Schedule()}).Run)
}

// Drain wires step.Drain.
func Drain(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Drain{Book: Book(c), Witness: witness(c)}).Run)
}

// Rollback wires step.Rollback.
func Rollback(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Rollback{Leveler: Leveler(c), Routes: c.Routes(), Roles: c.Control(), Schedules: c.Schedule()}).Run)
}

// Finish wires step.Finish.
func Finish(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Finish{Book: Book(c), App: c.Settings.App, Answers: c.Machine(), Schedules: c.Schedule()}).Run)
}

// Signal wires step.Signal.
func Signal(c *aws.Cloud) Run[step.Event, string] {
	return (&step.Signal{Book: Book(c), Settings: c.Settings, Answers: c.Machine(), Schedules: c.Schedule(), Freeze: c.Freeze()}).Run
}

// Recover wires step.Recover.
func Recover(c *aws.Cloud) Run[step.Event, string] { return Recoverer(c).Run }

// Recoverer is what Recover and Repair do about a dead execution.
func Recoverer(c *aws.Cloud) *step.Recover {
	return &step.Recover{Book: Book(c), Settings: c.Settings, Executions: c.Machine(), Answers: c.Machine(), Schedules: c.Schedule()}
}
