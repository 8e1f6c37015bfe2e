// Package database wires the steps that know migrations: those that change the schema, and Begin,
// which refuses what could not run. It stands apart so that only their Lambdas carry goose and a
// Postgres client.
package database

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/doctor"
	"lockstep/functions/internal/postgres"
	"lockstep/functions/internal/schema"
	"lockstep/functions/internal/step"
	"lockstep/functions/internal/wire"
	sm "lockstep/statemachine"
	"lockstep/statemachine/migration/lint"
)

// Begin wires step.Begin.
func Begin(c *aws.Cloud) wire.Run[sm.BeginInput, sm.Document] {
	return (&step.Begin{
		Ledger: wire.Ledger(c), Settings: c.Settings, Bundles: c.Bundles(), Migrations: lint.Check,
		Roles: c.Control(), Routes: c.Routes(), Stages: c.Stages().Get, Answers: c.Machine(),
		Alarms: c.Metrics(), Freeze: c.Freeze(), Schedules: c.Schedule(),
	}).Run
}

// Expand wires step.Expand.
func Expand(c *aws.Cloud) wire.Run[sm.StepInput, sm.Document] {
	return wire.Step((&step.Expand{Ledger: wire.Ledger(c), Bundles: c.Bundles(), Open: open(c)}).Run)
}

// Contract wires step.Contract.
func Contract(c *aws.Cloud) wire.Run[sm.StepInput, sm.Document] {
	return wire.Step((&step.Contract{Ledger: wire.Ledger(c), Settings: c.Settings,
		Bundles: c.Bundles(), Open: open(c)}).Run)
}

// Repair wires doctor.Repair.
func Repair(c *aws.Cloud) wire.Run[sm.RepairInput, sm.Diagnosis] {
	return (&doctor.Repair{
		Layers: wire.Layers(c), Recover: wire.Recoverer(c), Started: c.Machine(),
		Routes: c.Routes(), Roles: c.Control(), Archive: c.Ledger(), Open: open(c),
	}).Run
}

// open connects to the application's database, whose credentials only the secret holds.
func open(c *aws.Cloud) schema.Open {
	if c.Settings.Database == nil {
		return nil
	}

	return func(ctx context.Context, fence int64) (schema.Database, error) {
		d := c.Settings.Database

		url, authorities, err := c.Secrets().Connection(ctx, d.Secret)
		if err != nil {
			return nil, err
		}

		database, err := postgres.Open(ctx, postgres.Connection{URL: url, Authorities: authorities},
			postgres.Options{LockTimeout: d.LockTimeout.Std(), Patience: d.Patience.Std(), Fence: fence,
				Ledger: c.Settings.StateBucket})
		if err != nil {
			return nil, byName(err)
		}

		return named{database}, nil
	}
}

// named speaks of the database as the steps do: reports in words, errors by the machine's names.
type named struct{ *postgres.Database }

func (s named) Expand(ctx context.Context, release string, migrations fs.FS) (string, error) {
	return words(s.Database.Expand(ctx, release, migrations))
}

func (s named) UndoExpand(ctx context.Context, release string) (string, error) {
	return words(s.Database.UndoExpand(ctx, release))
}

func (s named) Contract(ctx context.Context, release string, migrations fs.FS) (string, error) {
	return words(s.Database.Contract(ctx, release, migrations))
}

func (s named) OldClients(ctx context.Context, release string, quiet time.Duration) (bool, string,
	error) {
	clients, err := s.Clients(ctx, release)
	return clients.Busy(quiet), clients.String(), byName(err)
}

func words(report postgres.Report, err error) (string, error) {
	return report.String(), byName(err)
}

func byName(err error) error {
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
