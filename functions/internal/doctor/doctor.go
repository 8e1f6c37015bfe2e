// Package doctor compares the ledger with what is there, and repairs the difference: the ledger's
// own objects, the lock, the roles, the route, the environments, what events call, the schema,
// schedules and executions.
//
// To add a finding, give it a file with its kind and a type with the method find, and a line in
// the table of Repair.finders.
package doctor

import (
	"context"

	sm "lockstep/statemachine"
)

// rounds of finders: each rests on those before it, so where one finds something that must be
// repaired alone, those after it are not asked. Those of the last need an idle lock.
type rounds struct {
	ledger, lock, idle []finder
}

// diagnose asks the finders in the order in which their findings are repaired.
func (r rounds) diagnose(ctx context.Context, v *view) (sm.Diagnosis, []finding, error) {
	diagnosis := sm.Diagnosis{Findings: []sm.Finding{}}

	found, err := ask(ctx, v, r.ledger)
	if err != nil {
		return diagnosis, nil, err
	}

	if len(found) == 0 {
		if found, err = ask(ctx, v, r.lock); err != nil {
			return diagnosis, nil, err
		}

		usable := !about(found, LockBehind) && !about(found, LockHeldByDead)
		if v.lock.Holder != nil && usable {
			diagnosis.UnderWay = v.lock.Holder.Release
		}

		if v.lock.Holder == nil && usable {
			more, err := ask(ctx, v, r.idle)
			if err != nil {
				return diagnosis, nil, err
			}

			found = append(found, more...)
		}
	}

	for _, f := range found {
		diagnosis.Findings = append(diagnosis.Findings, f.Finding)
	}

	return diagnosis, found, nil
}

// ask stops at the first finder that finds what must be repaired alone.
func ask(ctx context.Context, v *view, finders []finder) ([]finding, error) {
	var all []finding

	for _, f := range finders {
		found, err := f.find(ctx, v)
		if err != nil {
			return nil, err
		}

		if all = append(all, found...); anyAlone(found) {
			return all, nil
		}
	}

	return all, nil
}
