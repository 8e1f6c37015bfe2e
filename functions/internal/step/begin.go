// Package step has the steps of a release, a file each; what belongs to one step alone is named
// after it. It knows no AWS SDK: adapters are given to it by the Lambdas' mains, and by the tests.
package step

import (
	"context"
	"io/fs"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Begin checks that a release can be made at all, takes the lock or joins the queue, and answers
// the machine through the task token with the release document. It writes the ledger; it starts a
// timer where a freeze keeps the lock free; and it corrects the control parameter where that
// contradicts the route. Nothing that serves viewers changes.
//
// Run twice, it finds the lock or the queue entry that it took before. It returns InvalidRelease
// and IncompatibleMigration.
type Begin struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader
	// Migrations says what is wrong with a release's migrations without running them.
	Migrations func(migrations fs.FS) error
	Roles      routing.Roles
	Routes     routing.RouteStore
	// Stages tells which aliases an environment's stage calls, and as which release.
	Stages func(context.Context, sm.Environment) (alias sm.Environment, release string, err error)

	Answers   machine.Answers
	Alarms    evidence.AlarmStates
	Freeze    Freeze
	Schedules timer.Schedules
}

// Run answers in.TaskToken once the lock is held. The document that it returns is only for the log.
func (b *Begin) Run(ctx context.Context, in sm.BeginInput) (sm.Document, error) {
	trigger, err := release.ParseTrigger(in.Event, b.Settings.App)
	if err != nil {
		return sm.Document{}, err
	}

	if trigger.Recover != "" {
		return takeOver(ctx, b.Ledger, b.Answers, in, trigger)
	}

	if trigger.Release == "" {
		if trigger.Release, err = b.newest(ctx, in.Execution); err != nil {
			return sm.Document{}, sm.Wrap(sm.InvalidRelease, "look for the newest release", err)
		}
	}

	asks, err := b.check(ctx, in, trigger)
	if err != nil {
		return sm.Document{}, err
	}

	roles := trueRoles{b.Roles, b.Routes}
	entrance := admission{b.Ledger, refusal{b.Ledger, roles}}

	admitted, err := entrance.admit(ctx, asks)
	if err != nil {
		return sm.Document{}, err
	}

	holder := admitted.lock.Holder
	if holder == nil || holder.Execution != in.Execution {
		queue := waiting{b.Ledger, b.Answers, b.Freeze, b.Schedules}

		return sm.Document{Execution: in.Execution, Release: asks.manifest.Release},
			queue.join(ctx, asks, admitted)
	}

	if holder.Timer { // left alone, it would answer a used token
		_ = b.Schedules.Cancel(ctx, timer.FreezeName(in.Execution))
	}

	start := opening{b.Ledger, b.Settings, roles, b.Stages, b.Alarms}

	doc, err := start.run(ctx, asks, admitted.lock.Fence)
	if err != nil {
		return sm.Document{}, err
	}

	_, err = b.Answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}

// check reads the bundle, and whether a freeze keeps it from beginning.
func (b *Begin) check(
	ctx context.Context, in sm.BeginInput, trigger release.Trigger,
) (asks request, err error) {
	asks = request{BeginInput: in, trigger: trigger}
	bundle := bundleCheck{b.Settings, b.Bundles, b.Migrations}

	asks.manifest, err = bundle.run(ctx, trigger)
	if err == nil && trigger.Hotfix == "" {
		asks.frozen, err = b.Freeze.Reason(ctx)
	}

	return asks, err
}

// newest is the release that was uploaded last. An execution that holds the lock, or waits for it,
// stays with the one that it began with.
func (b *Begin) newest(ctx context.Context, execution string) (string, error) {
	lock, err := b.Ledger.Lock(ctx)
	if err != nil {
		return "", err
	}

	if lock.Holder != nil && lock.Holder.Execution == execution {
		return lock.Holder.Release, nil
	}

	if entry := ledger.QueueEntry(lock, execution); entry.Release != "" {
		return entry.Release, nil
	}

	return b.Bundles.Newest(ctx)
}
