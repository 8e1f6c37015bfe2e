// Package step has the steps of a release, a file each; what belongs to one step alone is named
// after it. It knows no AWS SDK: adapters are given to it by the Lambdas' mains, and by the tests.
package step

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

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
// the machine through the task token with the release document. While a freeze lasts nobody but a
// hotfix takes the lock. It changes nothing but the ledger, and the control parameter where that
// contradicts the route. Run twice, it finds the lock or the place in the queue that it took
// before. It returns InvalidRelease and IncompatibleMigration.
type Begin struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader
	// Migrations says what is wrong with a release's migrations without running them.
	Migrations func(migrations fs.FS) error
	Roles      routing.Roles
	Routes     routing.RouteStore
	// Stages tells which aliases an environment's stage calls, and as which release.
	Stages func(ctx context.Context, e sm.Environment) (alias sm.Environment, release string,
		err error)
	Answers   machine.Answers
	Alarms    evidence.AlarmStates
	Freeze    Freeze
	Schedules timer.Schedules
}

// Run answers in.TaskToken when the lock is held; the returned document is only for the log.
func (b *Begin) Run(ctx context.Context, in sm.BeginInput) (sm.Document, error) {
	trigger, err := release.ParseTrigger(in.Event, b.Settings.App)
	if err != nil {
		return sm.Document{}, err
	}

	if trigger.Recover != "" {
		return b.takeOver(ctx, in, trigger)
	}

	if trigger.Release == "" {
		if trigger.Release, err = b.newest(ctx, in.Execution); err != nil {
			return sm.Document{}, sm.Wrap(sm.InvalidRelease, "look for the newest release", err)
		}
	}

	manifest, err := b.Check(ctx, trigger)
	if err != nil {
		return sm.Document{}, err
	}

	frozen := ""
	if trigger.Hotfix == "" {
		if frozen, err = b.Freeze.Reason(ctx); err != nil {
			return sm.Document{}, err
		}
	}

	place, err := b.line(ctx, in, trigger, manifest, frozen != "")
	if err != nil {
		return sm.Document{}, err
	}

	lock := place.lock
	if lock.Holder == nil || lock.Holder.Execution != in.Execution {
		return sm.Document{Execution: in.Execution, Release: manifest.Release}, b.wait(ctx, in, manifest,
			place, frozen)
	}

	if lock.Holder.Timer {
		// left, it would answer a token that is used up
		_ = b.Schedules.Cancel(ctx, timer.FreezeName(in.Execution))
	}

	return b.start(ctx, in, trigger, manifest, lock.Fence)
}

// newest is the release that was uploaded last, or was when the execution began to hold the lock
// or to wait for it.
func (b *Begin) newest(ctx context.Context, execution string) (string, error) {
	var lock sm.Lock
	if _, err := b.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return "", err
	}

	if lock.Holder != nil && lock.Holder.Execution == execution {
		return lock.Holder.Release, nil
	}

	if place := ledger.QueueEntry(lock, execution); place.Release != "" {
		return place.Release, nil
	}

	return b.Bundles.Newest(ctx)
}

// place is the lock as Begin left it: taken, or with a place in the queue.
type place struct {
	lock   sm.Lock
	waited bool // it stood in the queue before
}

// line takes the lock if it is free, or joins the queue.
func (b *Begin) line(ctx context.Context, in sm.BeginInput, trigger release.Trigger, m sm.Manifest,
	frozen bool) (p place, err error) {
	hotfix := trigger.Hotfix != ""
	p.lock, err = b.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution == in.Execution {
			return again(b.Ledger, l, in)
		}
		// Judged inside the conditional write: two copies of one merge can't both find it unknown.
		if err := b.refuse(ctx, *l, in.Execution, trigger, m); err != nil {
			return err
		}

		before := len(l.Queue)

		ours := func(p sm.QueueEntry) bool { return p.Execution == in.Execution }
		if slices.ContainsFunc(slices.Concat(l.Queue, l.Notified),
			func(p sm.QueueEntry) bool { return ours(p) && in.Attempt.Before(p.Attempt) }) {
			return sm.Errorf(sm.StaleWrite, "release %s: %s was asked again since: its place is not this "+
				"one's", m.Release, in.Execution)
		}

		clock := ledger.QueueEntry(*l, in.Execution).Timer
		l.Queue, l.Notified = slices.DeleteFunc(l.Queue, ours), slices.DeleteFunc(l.Notified, ours)
		p.waited = len(l.Queue) < before
		now := time.Now().UTC()

		if l.Holder == nil && !frozen && b.Ledger.HasTurn(*l, m.Sequence, hotfix) {
			if l.Fence == 0 { // the first release of all, or somebody deleted the lock
				if l.Fence, err = b.Ledger.NewestFence(ctx); err != nil {
					return err
				}

				if l.Fence > 0 {
					l.Fence += ledger.LostFences
				}
			}

			l.Frozen = nil
			l.Fence++
			l.Holder = &sm.Holder{Release: m.Release, Sequence: m.Sequence, Execution: in.Execution,
				Fence: l.Fence, Since: now, Timer: clock, Attempt: in.Attempt}

			return nil
		}

		if b.Ledger.Queue == sm.RefuseNew && l.Holder != nil {
			return sm.Errorf(sm.InvalidRelease, "release %s is under way in %s, and queue is %q: release "+
				"%s again once it has ended",
				l.Holder.Release, l.Holder.Execution, b.Ledger.Queue, m.Release)
		}

		winds := l.Holder == nil && frozen
		if winds && l.Frozen == nil {
			l.Frozen = &now
		}

		l.Queue = append(l.Queue, sm.QueueEntry{Release: m.Release, Sequence: m.Sequence,
			Execution: in.Execution,
			TaskToken: in.TaskToken, Since: now, Attempt: in.Attempt, Hotfix: hotfix, Timer: winds || clock})

		return nil
	})

	return p, err
}

// again is for a Begin that finds the lock taken by its own execution: by itself, in a call
// before, or, if it lingers, by a later one.
func again(b ledger.Ledger, l *sm.Lock, in sm.BeginInput) error {
	err := b.Lease(sm.Document{Release: l.Holder.Release, Execution: in.Execution,
		Attempt: in.Attempt}).VerifyAttempt(l.Holder.Attempt)
	if err == nil {
		l.Holder.Attempt = in.Attempt
	}

	return err
}

// wait lets the others in the queue know. Where it is a freeze that keeps the lock free, it has
// itself woken for another look, in case nobody hears of its end.
func (b *Begin) wait(ctx context.Context, in sm.BeginInput, m sm.Manifest, p place,
	frozen string) error {
	if err := b.Ledger.NotifyQueue(ctx, b.Answers, frozen == ""); err != nil || frozen == "" ||
		p.lock.Holder != nil {
		return err
	}

	if !p.waited {
		doc, held := sm.Document{Execution: in.Execution,
			Release: m.Release}, sm.Record{Held: &sm.Held{By: sm.HeldByFreeze, Why: "frozen: " + frozen}}
		if err := b.Ledger.Announce(ctx, held, doc,
			sm.Event{State: sm.Begin, Kind: sm.EventWaiting, Text: m.Release + " waits to begin: frozen: " +
				frozen}); err != nil {
			return err
		}
	}

	again, now := sm.Document{Execution: in.Execution, Release: m.Release, Sequence: m.Sequence,
		Next: sm.NextBegin}, time.Now()
	if err := b.Schedules.At(ctx, timer.FreezeName(in.Execution),
		now.Add(relook(now.Sub(*p.lock.Frozen))), in.TaskToken, again); err != nil {
		return err
	}
	// Who was told meanwhile what becomes of it found no schedule to delete.
	var lock sm.Lock
	if _, err := b.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return err
	}

	if !ledger.IsWaiting(lock.Queue, in.TaskToken) {
		return b.Schedules.Cancel(ctx, timer.FreezeName(in.Execution))
	}
	// What ended before the token lay there found nobody to wake.
	reason, err := b.Freeze.Reason(ctx)
	if err != nil || reason != "" {
		return err
	}

	return b.Ledger.NotifyQueue(ctx, b.Answers, true)
}

// roles are those that the control parameter says, those that are true, and the share of the
// viewers that active has. SSM has no conditional write, and people have hands, but viewers go by
// the route.
func (b *Begin) roles(ctx context.Context) (said, control sm.Control, weight int, err error) {
	if said, err = b.Roles.Get(ctx); err != nil {
		return said, said, 0, err
	}

	route, found, err := b.Routes.Get(ctx)
	// it will pass; what is not to be understood is written over by this release
	if err != nil && sm.Name(err) != "" {
		return said, said, 0, err
	}

	if swapped := (sm.Control{Active: said.Fallback, Fallback: said.Active}); found &&
		route.Active == swapped.Active && route.Fallback == swapped.Fallback {
		return said, swapped, route.Weight, nil
	}

	return said, said, route.Weight, nil
}

// refuse finds out whether the release is a duplicate or older than what is live.
func (b *Begin) refuse(ctx context.Context, lock sm.Lock, execution string, trigger release.Trigger,
	m sm.Manifest) error {
	if lock.Holder != nil && lock.Holder.Release == m.Release {
		return sm.Errorf(sm.InvalidRelease, "release %s is under way already, in %s: nothing to do",
			m.Release, lock.Holder.Execution)
	}

	if lock.Holder != nil && lock.Holder.Sequence == m.Sequence {
		return taken(m, lock.Holder.Release)
	}

	// what becomes of the unheard is not recorded yet
	for _, p := range slices.Concat(lock.Queue, lock.Notified) {
		switch {
		case p.Execution == execution:
		case p.Release == m.Release:
			return sm.Errorf(sm.InvalidRelease, "release %s waits in the queue already, in %s: nothing to do", m.Release, p.Execution)
		case p.Sequence == m.Sequence:
			return taken(m, p.Release)
		}
	}

	_, control, weight, err := b.roles(ctx)
	if err != nil {
		return err
	}

	if lock.Holder == nil && weight != 0 {
		return sm.Errorf(sm.InvalidRelease, "the route sends %s of the viewers to %s, where %s would "+
			"go, and no release is under way: "+
			"lockstep repair sends everyone to %s; then release it again", release.Percent(
			weight), control.Active, m.Release, control.Fallback)
	}

	live, err := b.Ledger.Environment(ctx, control.Fallback)
	if err != nil {
		return err
	}

	record, err := b.Ledger.Record(ctx, m.Release)
	if err != nil {
		return err
	}

	switch {
	case record.Ended != nil && (record.Execution == execution ||
		slices.Contains(
			record.PreviousExecutions, execution)): // a Lambda that lingers: nobody waits for its answer
		return sm.Errorf(sm.InvalidRelease, "release %s began in this very execution, and was %s",
			m.Release, record.Outcome)
	case live.Release == m.Release:
		return sm.Errorf(sm.InvalidRelease, "release %s is live already: nothing to do", m.Release)
	case m.Sequence < live.Sequence:
		return sm.Errorf(sm.InvalidRelease, "%s: sequence: found %d, expected more than %d, which is "+
			"live as %s: release a newer one",
			sm.ManifestKey(m.Release), m.Sequence, live.Sequence, live.Release)
	case m.Sequence == live.Sequence:
		return taken(m, live.Release)
	case record.Outcome != "" && record.Outcome != sm.Refused && !trigger.Deliberate:
		return sm.Errorf(sm.InvalidRelease, "release %s was %s before; to try it again: %s",
			m.Release, record.Outcome, sm.RetryCommand(record.Execution, m.Release))
	}

	return nil
}

// taken refuses a sequence that another release has: neither would be the newer one.
func taken(m sm.Manifest, by string) error {
	return sm.Errorf(sm.InvalidRelease, "%s: sequence: found %d, which %s has already, expected a "+
		"number of its own",
		sm.ManifestKey(m.Release), m.Sequence, by)
}

// start opens the record and sends the machine on its way.
func (b *Begin) start(ctx context.Context, in sm.BeginInput, trigger release.Trigger, m sm.Manifest,
	fence int64) (sm.Document, error) {
	said, control, _, err := b.roles(ctx)
	if err != nil {
		return sm.Document{}, err
	}

	live, err := b.Ledger.Environment(ctx, control.Fallback)
	if err != nil {
		return sm.Document{}, err
	}

	if live.Release == "" { // it would go to everyone at once
		_, serves, err := b.Stages(ctx, control.Fallback)
		if err != nil {
			return sm.Document{}, err
		}

		if record, err := b.Ledger.Record(ctx, serves); err != nil {
			return sm.Document{}, err
		} else if record.Outcome == sm.Released {
			return sm.Document{}, sm.Errorf(sm.InvalidRelease,
				"%s says that %s carries nothing, but its API is %s, which everyone has: "+
					"lockstep repair makes the ledger say so; then release %s again", sm.EnvironmentKey(
					control.Fallback), control.Fallback, serves, m.Release)
		}
	}

	ringing, err := b.Alarms.Ringing(ctx, b.Settings.AlarmNames())
	if err != nil {
		return sm.Document{}, fmt.Errorf("see which alarms ring already: %w", err)
	}

	doc := sm.Document{
		Execution: in.Execution, Release: m.Release, Sequence: m.Sequence, Fence: fence, Attempt: in.Attempt,
		Active: control.Active, Fallback: control.Fallback, Next: sm.NextSync, First: live.Release == "",
		Hotfix: trigger.Hotfix != "",
	}
	open := func(r *sm.Record) {
		if r.Execution == in.Execution {
			return
		}

		*r = sm.Record{
			Release: m.Release, Sequence: m.Sequence, Execution: in.Execution, PreviousExecutions: r.Executions(), Run: r.Run + 1, Fence: fence,
			Active: doc.Active, Fallback: doc.Fallback, Hotfix: trigger.Hotfix, Began: time.Now().UTC(), State: sm.Begin, MutedAlarms: ringing, Events: r.Events,
		}
	}

	text := fmt.Sprintf("%s begins in %s; %s stays with %s", m.Release, doc.Active,
		release.OrNothing(live.Release), doc.Fallback)
	if doc.Hotfix {
		text += "; a hotfix, which skips its ramp: " + trigger.Hotfix
	}

	if said != control {
		if err := b.Ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
			return b.Roles.Put(ctx,
				control)
		}); err != nil {
			return sm.Document{}, fmt.Errorf("let the control parameter say what the route does: %w", err)
		}

		text += fmt.Sprintf("; the control parameter said that %s is active, where the route sends the "+
			"viewers: it says %s now", said.Active, control.Active)
	}

	if len(ringing) > 0 {
		text += "; rang before, so does not count: " + strings.Join(ringing, ", ")
	}

	if _, err := b.Ledger.Append(ctx, doc, sm.Event{State: sm.Begin, Kind: sm.EventBegan, Text: text},
		open); err != nil {
		return sm.Document{}, err
	}

	_, err = b.Answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}
