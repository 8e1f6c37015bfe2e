package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Ramp sets the next weight and leaves its task token where the schedule, an alarm and the
// operator find it; whichever comes first decides. Run twice, it sets the same weight, since the
// step is counted in the document that it was given, and the newer token replaces the older. Where
// something forbids to grow it holds the weight and waits for that. It returns AlarmBreached and
// OperatorRollback for what arrived while nobody waited.
type Ramp struct {
	Ledger    ledger.Ledger
	Settings  sm.Settings
	Routes    routing.Routes
	Schedules timer.Schedules
	Freeze    Freeze
	Answers   machine.Answers
	Traffic   evidence.Traffic // asked where the ramp goes by a harm budget
}

func (r *Ramp) Run(ctx context.Context, in sm.RampInput) (sm.Document, error) {
	in.Document.Attempt = in.Attempt
	doc := in.Document

	record, err := r.Ledger.Enter(ctx, doc, sm.Ramp)
	if err != nil {
		return doc, err
	}

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	r, why, err := r.byBudget(ctx, doc, record)
	if err != nil {
		return doc, err
	}

	next, bake, text, err := r.Next(doc, record)
	if err != nil {
		return doc, err
	}

	text += why

	forbids, err := r.gate(ctx, doc, next, record)
	switch {
	case err != nil:
		return doc, err
	case forbids != nil:
		return r.hold(ctx, in, record, forbids)
	case doc.Held && doc.Weight > 0:
		return r.again(ctx, in)
	case record.Step < next.Step || record.Weight < next.Weight: // decided before it is done: see gate
		if _, err := r.Ledger.UpdateRecord(ctx, doc,
			func(r *sm.Record) error { r.Step, r.Weight = next.Step, next.Weight; return nil }); err != nil {
			return doc, err
		}
	}

	if err := r.Ledger.Lease(doc).GuardGrowth(ctx,
		func(ctx context.Context, verify func(context.Context) error) error {
			return r.Routes.Put(ctx, routing.Ramp(doc, next.Weight, record), verify)
		}); err != nil {
		return doc, fmt.Errorf("set the weight to %d: %w", next.Weight, err)
	}

	now := time.Now().UTC()

	wait := &sm.Wait{TaskToken: in.TaskToken, Schedule: timer.BakeName(next), Since: now,
		Until: now.Add(bake), Document: next}
	// prolonged, it is one bake: the calls of all of it count
	if next.Step == doc.Step && record.Wait != nil {
		wait.Since = record.Wait.Since
	}

	_, unsure := holds(r.Settings.Ramp, doc)
	before := record.Wait

	record, err = r.Ledger.Append(ctx, doc, sm.Event{State: sm.Ramp, Kind: sm.EventWeight, Text: text},
		func(record *sm.Record) {
			wait.Paused, record.Held = nil, nil
			switch {
			case record.Paused():
				wait.Paused, record.Held = &now, ledger.HeldByOperator(*record, now)
			case unsure:
				wait.Paused, record.Held = &now, &sm.Held{By: sm.HeldByVerdict,
					Why: "the metrics never said enough", Since: now}
			}

			if n := len(record.Weights); n == 0 || record.Weights[n-1].Weight != next.Weight {
				record.Weights = append(record.Weights, sm.WeightChange{At: now, Weight: next.Weight})
			}

			record.Weight, record.Wait = next.Weight, wait
		})
	if err != nil {
		return doc, err
	}

	r.unwind(ctx, before, wait)
	// The same write that left the token showed every signal before it; those after it see the token.
	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	// also where the word came just now: the next step then goes all the way
	if record.PromotedByHand() || doc.Hotfix {
		next.Waived = true
		_, err := r.Answers.Succeed(ctx, in.TaskToken, next)

		return next, err
	}

	if wait.Paused != nil {
		return next, nil
	}

	return next, timer.Start(ctx, r.Ledger, r.Schedules, doc.Release)
}

// unwind is for a Ramp that has put its own bake in the place of the one before.
func (r *Ramp) unwind(ctx context.Context, before, now *sm.Wait) {
	if before != nil && before.Schedule != now.Schedule {
		timer.Cancel(ctx, r.Schedules, before)
	}
}

// next is the document after this step, how long it bakes, and what to say.
func (r *Ramp) Next(doc sm.Document, record sm.Record) (sm.Document, time.Duration, string, error) {
	next := doc
	next.Verdict, next.Waived, next.Held, next.Holds = "", false, false, 0

	plan := r.Settings.Ramp
	if record.PromotedByHand() || doc.Hotfix {
		next.Step, next.Weight, next.Extensions = len(plan.Steps), sm.FullWeight, 0
		if doc.Hotfix {
			return next, 0, "100 % at once, a hotfix: " + record.Hotfix, nil
		}

		return next, 0, "100 % by the operator's word", nil
	}

	if doc.Verdict == sm.Inconclusive && doc.Step > 0 {
		exhausted, held := holds(plan, doc)
		if exhausted && !held {
			return next, 0, "", sm.Errorf(sm.NoVerdict,
				"no verdict at %s after %d extensions, and the ramp says to roll back then", release.Percent(doc.Weight), doc.Extensions)
		}

		_, bake := release.RampStep(plan, doc.Step)
		if held {
			return next, bake, fmt.Sprintf("%s: still no verdict after %d extensions: held for the operator",
				release.Percent(doc.Weight), doc.Extensions), nil
		}

		next.Extensions++

		return next, bake, fmt.Sprintf("%s for another %s", release.Percent(doc.Weight), bake), nil
	}

	next.Step, next.Extensions = doc.Step+1, 0
	weight, bake := release.RampStep(plan, next.Step)
	next.Weight = max(weight, doc.Weight) // the ramp never falls

	return next, bake, fmt.Sprintf("%s of the viewers for %s", release.Percent(next.Weight), bake), nil
}

// holds tells whether the extensions of an inconclusive bake are used up, and whether that means
// to wait for the operator.
func holds(plan sm.RampPlan, doc sm.Document) (exhausted, held bool) {
	exhausted = doc.Verdict == sm.Inconclusive && doc.Step > 0 && doc.Extensions >= plan.MaxExtensions
	return exhausted, exhausted && plan.OnInconclusive != sm.RollBackUnsure
}
