// Package database wires the steps that know migrations: those that change the schema, and Begin, which
// refuses what could not run. It stands apart so that only their Lambdas carry goose and a Postgres client.
package database

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/postgres"
	"lockstep/functions/internal/step"
	"lockstep/functions/internal/wire"
	sm "lockstep/statemachine"
	"lockstep/statemachine/migration/lint"
)

// Begin wires step.Begin.
func Begin(c *aws.Cloud) wire.Run[sm.BeginInput, sm.Document] {
	return (&step.Begin{
		Book: wire.Book(c), Settings: c.Settings, Bundles: c.Bundles(), Migrations: lint.Check,
		Roles: c.Control(), Routes: c.Routes(), Stages: c.Stages().Get, Answers: c.Machine(), Alarms: c.Metrics(), Freeze: c.Freeze(), Schedules: c.Schedule(),
	}).Run
}

// Expand wires step.Expand.
func Expand(c *aws.Cloud) wire.Run[sm.StepInput, sm.Document] {
	return wire.Step((&step.Expand{Book: wire.Book(c), Bundles: c.Bundles(), Open: open(c)}).Run)
}

// Contract wires step.Contract.
func Contract(c *aws.Cloud) wire.Run[sm.StepInput, sm.Document] {
	return wire.Step((&step.Contract{Book: wire.Book(c), Settings: c.Settings, Bundles: c.Bundles(), Open: open(c)}).Run)
}

// Repair wires step.Repair.
func Repair(c *aws.Cloud) wire.Run[sm.RepairInput, sm.Diagnosis] {
	return (&step.Repair{
		Leveler: wire.Leveler(c), Recover: wire.Recoverer(c), Started: c.Machine(), Routes: c.Routes(), Roles: c.Control(), Archive: c.Ledger(),
		Sees: step.Sees{Stage: c.Stages().Get, Page: c.Sites().Same}, Open: open(c),
	}).Run
}

// open connects to the application's database, whose credentials only the secret holds.
func open(c *aws.Cloud) step.OpenSchema {
	if c.Settings.Database == nil {
		return nil
	}
	return func(ctx context.Context, fence int64) (step.Schema, error) {
		d := c.Settings.Database
		url, authorities, err := c.Secrets().Connection(ctx, d.Secret)
		if err != nil {
			return nil, err
		}
		database, err := postgres.Open(ctx, postgres.Connection{URL: url, Authorities: authorities},
			postgres.Options{LockTimeout: d.LockTimeout.Std(), Patience: d.Patience.Std(), Fence: fence, Ledger: c.Settings.StateBucket})
		if err != nil {
			return nil, named(err)
		}
		return schema{database}, nil
	}
}

// schema speaks of the database as the steps do: reports in words, errors by the machine's names.
type schema struct{ *postgres.Database }

func (s schema) Expand(ctx context.Context, release string, migrations fs.FS) (string, error) {
	return words(s.Database.Expand(ctx, release, migrations))
}

func (s schema) UndoExpand(ctx context.Context, release string) (string, error) {
	return words(s.Database.UndoExpand(ctx, release))
}

func (s schema) Contract(ctx context.Context, release string, migrations fs.FS) (string, error) {
	return words(s.Database.Contract(ctx, release, migrations))
}

func (s schema) OldClients(ctx context.Context, release string, quiet time.Duration) (bool, string, error) {
	clients, err := s.Clients(ctx, release)
	return clients.Busy(quiet), clients.String(), named(err)
}

func words(report postgres.Report, err error) (string, error) { return report.String(), named(err) }

func named(err error) error {
	switch {
	case errors.Is(err, postgres.ErrFenced):
		return sm.Errorf(sm.LockLost, "%w", err)
	case errors.Is(err, postgres.ErrOutOfTime):
		return sm.Errorf(sm.Unfinished, "%w", err)
	case errors.Is(err, postgres.ErrUnreachable):
		return sm.Errorf(sm.Unreachable, "%w", err)
	}
	return err
}
