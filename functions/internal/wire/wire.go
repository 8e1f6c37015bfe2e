// Package wire gives each step its adapters: what the mains of the Lambdas start, and what tests
// run in process over the same clients.
package wire

import (
	"context"
	"crypto/rand"
	"log"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/entry"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/step"
	"lockstep/statemachine"
)

// Run is a step, ready to be called.
type Run[In, Out any] func(ctx context.Context, in In) (Out, error)

// Step takes the document out of the input and notes the attempt in it.
func Step(run Run[statemachine.Document, statemachine.Document]) Run[statemachine.StepInput,
	statemachine.Document] {
	return func(ctx context.Context, in statemachine.StepInput) (statemachine.Document, error) {
		in.Document.Attempt = in.Attempt
		return run(ctx, in.Document)
	}
}

// Start is the whole main of a Lambda.
func Start[In, Out any](task statemachine.Task, build func(*aws.Cloud) Run[In, Out]) {
	cloud, err := aws.Connect(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	entry.Start(task, build(cloud))
}

// Ledger is the ledger as the steps use it.
func Ledger(c *aws.Cloud) ledger.Ledger {
	return ledger.Ledger{App: c.Settings.App, Store: c.Ledger(), Bus: c.Bus(), Queue: c.Settings.Queue}
}

// Layers are the layers of the application's environments.
func Layers(c *aws.Cloud) environment.Layers {
	return environment.New(
		Ledger(c), c.Settings, c.Bundles(), c.Functions(), c.Stages(), c.Sites())
}

func collector(c *aws.Cloud) evidence.Collector {
	return evidence.Collector{Settings: c.Settings, Alarms: c.Metrics(), Traffic: c.Metrics()}
}

// Sync wires step.Sync.
func Sync(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Sync{Layers: Layers(c)}).Run)
}

// Deploy wires step.Deploy.
func Deploy(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Deploy{Layers: Layers(c), Routes: c.Routes(), Secret: rand.Text}).Run)
}

// Probe wires step.Probe.
func Probe(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Probe{Ledger: Ledger(c), Settings: c.Settings, Bundles: c.Bundles(),
		Sites: c.Sites(), HTTP: c.HTTP(), Lambdas: c.Lambdas()}).Run)
}

// Ramp wires step.Ramp.
func Ramp(c *aws.Cloud) Run[statemachine.RampInput, statemachine.Document] {
	return (&step.Ramp{Ledger: Ledger(c), Settings: c.Settings, Routes: c.Routes(),
		Schedules: c.Schedule(), Freeze: c.Freeze(), Answers: c.Machine(), Traffic: c.Metrics()}).Run
}

// CheckAlarms wires step.CheckAlarms.
func CheckAlarms(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.CheckAlarms{Ledger: Ledger(c), Collector: collector(c)}).Run)
}

// Promote wires step.Promote.
func Promote(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	events := environment.Events{Ledger: Ledger(c), Settings: c.Settings, Versions: c.Functions()}

	return Step((&step.Promote{Ledger: events.Ledger, Events: events, Routes: c.Routes(),
		Roles: c.Control(), Schedules: c.Schedule()}).Run)
}

// Drain wires step.Drain.
func Drain(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Drain{Ledger: Ledger(c), Collector: collector(c)}).Run)
}

// Rollback wires step.Rollback.
func Rollback(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Rollback{Layers: Layers(c), Routes: c.Routes(), Roles: c.Control(),
		Schedules: c.Schedule()}).Run)
}

// Finish wires step.Finish.
func Finish(c *aws.Cloud) Run[statemachine.StepInput, statemachine.Document] {
	return Step((&step.Finish{Ledger: Ledger(c), App: c.Settings.App, Answers: c.Machine(),
		Schedules: c.Schedule()}).Run)
}

// Signal wires step.Signal.
func Signal(c *aws.Cloud) Run[machine.Event, step.SignalResult] {
	return (&step.Signal{Ledger: Ledger(c), Settings: c.Settings, Answers: c.Machine(),
		Schedules: c.Schedule(), Freeze: c.Freeze()}).Run
}

// Recover wires recovery.Recover.
func Recover(c *aws.Cloud) Run[machine.Event, recovery.Report] { return Recoverer(c).Run }

// Recoverer is what Recover and Repair do about a dead execution.
func Recoverer(c *aws.Cloud) *recovery.Recover {
	return &recovery.Recover{Ledger: Ledger(c), Settings: c.Settings, Executions: c.Machine(),
		Answers: c.Machine(), Schedules: c.Schedule()}
}
