package step

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// opening opens the record of a release that has the lock, and makes its document.
type opening struct {
	ledger   ledger.Ledger
	settings sm.Settings
	roles    trueRoles
	stages   func(context.Context, sm.Environment) (alias sm.Environment, release string, err error)
	alarms   evidence.AlarmStates
}

func (o opening) run(ctx context.Context, asks request, fence int64) (sm.Document, error) {
	now, err := o.roles.read(ctx)
	if err != nil {
		return sm.Document{}, err
	}

	live, err := o.live(ctx, now.control.Fallback, asks.manifest.Release)
	if err != nil {
		return sm.Document{}, err
	}

	ringing, err := o.alarms.Ringing(ctx, o.settings.AlarmNames())
	if err != nil {
		return sm.Document{}, fmt.Errorf("see which alarms ring already: %w", err)
	}

	doc := sm.Document{
		Execution: asks.Execution, Release: asks.manifest.Release, Sequence: asks.manifest.Sequence,
		Fence: fence, Attempt: asks.Attempt,
		Active: now.control.Active, Fallback: now.control.Fallback,
		Next: sm.NextSync, First: live.Release == "", Hotfix: asks.trigger.Hotfix != "",
	}

	if now.said != now.control {
		if err := o.correctParameter(ctx, doc, now.control); err != nil {
			return sm.Document{}, err
		}
	}

	event := sm.Event{
		State: sm.Begin, Kind: sm.EventBegan, Text: beginText(asks, doc, now, live, ringing),
	}
	_, err = o.ledger.Append(ctx, doc, event, func(r *sm.Record) { open(r, asks, doc, ringing) })

	return doc, err
}

// live is the state of the fallback. Where the ledger says that it has none, a release would go to
// everyone at once: that is right for the first one, and not where the stage serves a release.
func (o opening) live(
	ctx context.Context, fallback sm.Environment, releaseID string,
) (sm.EnvironmentState, error) {
	live, err := o.ledger.Environment(ctx, fallback)
	if err != nil || live.Release != "" {
		return live, err
	}

	_, serves, err := o.stages(ctx, fallback)
	if err != nil {
		return live, err
	}

	record, err := o.ledger.Record(ctx, serves)
	if err != nil || record.Outcome != sm.Released {
		return live, err
	}

	return live, sm.Errorf(sm.InvalidRelease,
		"%s says that %s has no release, but its API is %s, which everyone has; "+
			"run \"lockstep repair\", which corrects the ledger, then release %s again",
		sm.EnvironmentKey(fallback), fallback, serves, releaseID)
}

func (o opening) correctParameter(
	ctx context.Context, doc sm.Document, control sm.Control,
) error {
	err := o.ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
		return o.roles.roles.Put(ctx, control)
	})
	if err != nil {
		return fmt.Errorf("make the control parameter match the route: %w", err)
	}

	return nil
}

// open makes the record that of this execution, unless it is already.
func open(r *sm.Record, asks request, doc sm.Document, ringing []string) {
	if r.Execution == asks.Execution {
		return
	}

	*r = sm.Record{
		Release: doc.Release, Sequence: doc.Sequence, Execution: doc.Execution,
		PreviousExecutions: r.Executions(), Run: r.Run + 1, Fence: doc.Fence,
		Active: doc.Active, Fallback: doc.Fallback, Hotfix: asks.trigger.Hotfix,
		Began: time.Now().UTC(), State: sm.Begin, MutedAlarms: ringing, Events: r.Events,
	}
}

func beginText(
	asks request, doc sm.Document, now roles, live sm.EnvironmentState, ringing []string,
) string {
	text := fmt.Sprintf("%s begins in %s; %s stays with %s",
		doc.Release, doc.Active, release.OrNothing(live.Release), doc.Fallback)

	if doc.Hotfix {
		text += "; a hotfix, which skips its ramp: " + asks.trigger.Hotfix
	}

	if now.said != now.control {
		text += fmt.Sprintf("; the control parameter said that %s is active, but the route sends "+
			"viewers to %s: corrected the parameter", now.said.Active, now.control.Active)
	}

	if len(ringing) > 0 {
		text += "; already in alarm, so not counted: " + strings.Join(ringing, ", ")
	}

	return text
}
