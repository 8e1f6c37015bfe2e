package doctor

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/recovery"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/schema"
	sm "lockstep/statemachine"
)

// Repair says where what is there differs from the ledger, and makes it what the ledger says. What
// a dead execution left, also one that stopped with the lock held, it hands to another execution.
// It works under the lease, as the release that it is called by, so that no release begins
// meanwhile; a release under way is left alone.
//
// Run twice, the second finds nothing to do. Killed half way, Recover's sweep releases the lock,
// once its Lambda cannot be alive any more.
type Repair struct {
	environment.Layers

	Recover *recovery.Recover
	Started machine.Started
	Routes  routing.RouteStore
	Roles   routing.Roles
	Archive Archive
	Open    schema.Open // nil where the application has no database
}

// finders are all that is looked at, in the order in which it is repaired.
func (r *Repair) finders() rounds {
	chain := recovery.Chain{
		Ledger: r.Ledger, Settings: r.Settings, Executions: r.Recover.Executions,
	}

	return rounds{
		ledger: []finder{objects{r.Archive, r.Ledger.Store, r.Routes}},
		lock:   []finder{lockFinder{r.Ledger, chain}, executions{r.Started, chain}},
		idle: []finder{
			roles{r.Ledger, r.Roles},
			route{r.Ledger, r.Routes},
			environments{r.Layers},
			eventSources{r.Events},
			migrations{r.Ledger, r.Settings, r.Bundles, r.Open},
			schedules{r.Recover.Schedules},
		},
	}
}

// Run diagnoses, and repairs unless it is a dry run. It returns StaleWrite where a release began
// meanwhile, and LockLost where somebody took the lease.
func (r *Repair) Run(ctx context.Context, in sm.RepairInput) (sm.Diagnosis, error) {
	diagnosis, found, err := r.finders().diagnose(ctx, &view{})
	if err != nil || in.DryRun || len(found) == 0 {
		return diagnosis, err
	}

	if !anyAlone(found) {
		return diagnosis, r.underLease(ctx, diagnosis.Findings, found)
	}

	again := false

	for i, f := range found {
		if f.repair == nil || !f.alone {
			continue
		}

		if err := diagnosis.Findings[i].Outcome(f.repair(ctx, sm.Document{})); err != nil {
			return diagnosis, err
		}

		again = again || f.hides && diagnosis.Findings[i].Repaired
	}

	if !again {
		return diagnosis, nil
	}

	rest, err := r.Run(ctx, in)
	rest.Findings = append(repaired(diagnosis.Findings), rest.Findings...)

	return rest, err
}

// repaired are those that the next diagnosis does not find again.
func repaired(findings []sm.Finding) []sm.Finding {
	var list []sm.Finding

	for _, f := range findings {
		if f.Repaired {
			list = append(list, f)
		}
	}

	return list
}

// underLease takes the lease, repairs one finding after the other and records what came of each.
func (r *Repair) underLease(ctx context.Context, findings []sm.Finding, found []finding) error {
	execution := r.Recover.Executions.ARN(fmt.Sprintf("%s-%d", sm.RepairRelease,
		time.Now().UnixNano()))

	doc, err := r.takeLease(ctx, execution)
	if err != nil {
		return err
	}

	began := time.Now().UTC()
	open := func(record *sm.Record) {
		*record = sm.Record{
			Release: sm.RepairRelease, Execution: execution, Fence: doc.Fence, Began: began,
			State: sm.Repair, Events: record.Events,
		}
	}

	for i, f := range found {
		if err := findings[i].Outcome(f.repair(ctx, doc)); err != nil {
			return err
		}

		event := sm.Event{State: sm.Repair, Kind: sm.EventRepaired, Text: f.Text + ": " + f.Repair}
		if findings[i].Failed != "" {
			event.Text += " failed: " + findings[i].Failed
		}

		if _, err := r.Ledger.Append(ctx, doc, event, open); err != nil {
			return err
		}
	}

	if _, err := r.Ledger.UpdateRecord(ctx, doc, func(record *sm.Record) error {
		record.Outcome, record.Ended = sm.Released, &began
		return nil
	}); err != nil {
		return err
	}

	return r.releaseLease(ctx, execution)
}

func (r *Repair) takeLease(ctx context.Context, execution string) (sm.Document, error) {
	lock, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution != execution {
			return sm.Errorf(sm.StaleWrite, "%s began meanwhile; try again when it has ended",
				l.Holder.Release)
		}

		l.Fence++
		// Whoever waits for a freeze to end is woken when this is done, and looks itself.
		l.Frozen = nil
		l.Holder = &sm.Holder{
			Release: sm.RepairRelease, Execution: execution, Fence: l.Fence, Since: time.Now().UTC(),
		}

		return nil
	})

	return sm.Document{Execution: execution, Release: sm.RepairRelease, Fence: lock.Fence}, err
}

func (r *Repair) releaseLease(ctx context.Context, execution string) error {
	if _, err := r.Ledger.UpdateLock(ctx, func(l *sm.Lock) error {
		if l.Holder != nil && l.Holder.Execution == execution {
			l.Holder = nil
		}

		return nil
	}); err != nil {
		return fmt.Errorf("release the lock: %w", err)
	}

	return r.Ledger.NotifyQueue(ctx, r.Recover.Answers, false)
}
