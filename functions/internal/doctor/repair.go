// Package doctor compares the ledger with what is there, at rest, and repairs the difference.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/schema"
	sm "lockstep/statemachine"
)

// Repair says what is inconsistent at rest, and makes it what the ledger says: the roles, the
// route, the stages, the aliases, what events call, the sites, the ledger's own objects, the
// schema and the schedules. What a dead execution left, also one that stopped over a wreck, it
// hands to another execution, which rolls back, or forward from contract on. It works under the
// lock, as the release that it is called by, so that no release begins meanwhile; one that runs is
// left alone. Run twice, the second finds nothing to do; killed half way, Recover's sweep frees
// the lock, once its Lambda can't be alive any more.
type Repair struct {
	environment.Syncer
	Recover *recovery.Recover
	Started machine.Started
	Routes  routing.RouteStore
	Roles   routing.Roles
	Archive Archive
	Sees    Sees
	Open    schema.Open
}

// Archive reads the ledger's objects whatever is in them.
type Archive interface {
	Raw(ctx context.Context, key string) (data []byte, etag string, err error)
	List(ctx context.Context, prefix string) ([]string, error)
}

// fix is a finding and what mends it.
type fix struct {
	sm.Finding
	// alone says that it is mended without the lock, and the rest is looked at another time: it is
	// about the lock itself, or about what runs without it.
	alone bool
	mend  func(ctx context.Context, doc sm.Document) error
}

func (r *Repair) Run(ctx context.Context, in sm.RepairInput) (sm.Diagnosis, error) {
	diagnosis, fixes, err := r.examine(ctx)
	switch {
	case err != nil || in.DryRun || len(fixes) == 0:
		return diagnosis, err
	case fixes[0].alone:
		err := diagnosis.Findings[0].Came(fixes[0].mend(ctx, sm.Document{}))
		if err != nil || !diagnosis.Findings[0].Mended || !strings.HasPrefix(fixes[0].Repair, newHeld) {
			return diagnosis, err
		}

		hidden, err := r.Run(ctx, in)
		hidden.Findings = append(diagnosis.Findings[:1], hidden.Findings...)

		return hidden, err
	}

	return diagnosis, r.mend(ctx, diagnosis.Findings, fixes)
}

// examine looks at everything, in the order in which it is mended: each rests on those before it.
func (r *Repair) examine(ctx context.Context) (sm.Diagnosis, []fix, error) {
	lock, fixes, err := r.examineLock(ctx)
	if err != nil {
		return sm.Diagnosis{}, nil, err
	}

	diagnosis := sm.Diagnosis{Findings: []sm.Finding{}}
	if lock.Holder != nil && len(fixes) == 0 {
		diagnosis.UnderWay = lock.Holder.Release
	}

	if len(fixes) == 0 {
		if fixes, err = r.examineStrays(ctx, lock); err != nil {
			return diagnosis, nil, err
		}
	}

	if lock.Holder == nil {
		told, more, err := r.examineLedger(ctx, lock)
		if err != nil {
			return diagnosis, nil, err
		}

		fixes = append(fixes, more...)
		for _, look := range []func(context.Context, books) ([]fix, error){r.examineRoles,
			r.examineEnvironments, r.examineEvents, r.examineSchema, r.examineSchedules} {
			more, err := look(ctx, told)
			if err != nil {
				return diagnosis, nil, err
			}

			fixes = append(fixes, more...)
		}
	}

	for _, f := range fixes {
		diagnosis.Findings = append(diagnosis.Findings, f.Finding)
	}

	return diagnosis, fixes, nil
}

// mend takes the lock, mends one after the other and says of each what came of it.
func (r *Repair) mend(ctx context.Context, findings []sm.Finding, fixes []fix) error {
	execution := r.Recover.Executions.ARN(fmt.Sprintf("%s-%d", sm.RepairRelease,
		time.Now().UnixNano()))
	lock, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution != execution {
			return sm.Errorf(sm.StaleWrite, "%s began meanwhile: ask again when it has ended",
				l.Holder.Release)
		}

		l.Fence++
		// whose clock rings meanwhile winds no other: it is called when this is done, and looks itself
		l.Frozen = nil
		l.Holder = &sm.Holder{Release: sm.RepairRelease, Execution: execution, Fence: l.Fence,
			Since: time.Now().UTC()}

		return nil
	})
	if err != nil {
		return err
	}

	doc := sm.Document{Execution: execution, Release: sm.RepairRelease, Fence: lock.Fence}
	now := time.Now().UTC()
	open := func(record *sm.Record) {
		*record = sm.Record{Release: sm.RepairRelease, Execution: execution, Fence: doc.Fence, Began: now,
			State: sm.Repair, Events: record.Events}
	}

	for i, f := range fixes {
		said := f.What + ": " + f.Repair
		if err := findings[i].Came(f.mend(ctx, doc)); err != nil {
			return err
		}

		if findings[i].Failed != "" {
			said += ", in vain: " + findings[i].Failed
		}

		if _, err := r.Ledger.Append(ctx, doc, sm.Event{State: sm.Repair, Kind: sm.EventRepaired,
			Text: said}, open); err != nil {
			return err
		}
	}

	if _, err := r.Ledger.UpdateRecord(ctx, doc, func(record *sm.Record) error {
		record.Outcome, record.Ended = sm.Released, &now
		return nil
	}); err != nil {
		return err
	}

	if _, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution == execution {
			l.Holder = nil
		}

		return nil
	}); err != nil {
		return fmt.Errorf("let go of the lock: %w", err)
	}

	return r.Ledger.NotifyQueue(ctx, r.Recover.Answers, false)
}
