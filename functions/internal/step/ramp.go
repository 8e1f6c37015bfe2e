package step

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/routing"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Ramp sets the next weight and stores its task token where the timer, an alarm and the operator
// find it; whichever comes first decides. Where something forbids to grow, it holds the weight and
// waits for that to end.
//
// Run twice, it sets the same weight, since the step is counted in the document that it was given,
// and the newer token replaces the older. It returns AlarmBreached and OperatorRollback for what
// arrived while no token waited, and NoVerdict where the ramp says to roll back without one.
type Ramp struct {
	Ledger    ledger.Ledger
	Settings  sm.Settings
	Routes    routing.Routes
	Schedules timer.Schedules
	Freeze    Freeze
	Answers   machine.Answers
	Traffic   evidence.Traffic // read where the ramp goes by a harm budget
}

// Run answers the token at once where nothing is to be waited for.
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

	plan, why, err := budgetPlan{r.Settings, r.Traffic}.at(ctx, doc, record)
	if err != nil {
		return doc, err
	}

	next, err := nextStep(plan, doc, record)
	if err != nil {
		return doc, err
	}

	next.text += why
	gate := gate{plan, r.Settings.Windows, r.Freeze}

	held, err := gate.check(ctx, doc, next.doc, record)
	if err != nil {
		return doc, err
	}

	switch {
	case held != nil:
		return hold{r.Ledger, r.Schedules, r.Answers, gate}.wait(ctx, in, record, held)
	case doc.Held && doc.Weight > 0:
		return r.judgeAgain(ctx, in)
	}

	if err := r.setWeight(ctx, doc, next.doc, record); err != nil {
		return doc, err
	}

	return r.bake(ctx, in, record, next)
}

// judgeAgain goes back to CheckAlarms after a hold: nobody is moved on a verdict of hours ago.
func (r *Ramp) judgeAgain(ctx context.Context, in sm.RampInput) (sm.Document, error) {
	doc := in.Document
	doc.Held = false

	release := func(r *sm.Record) error { r.Held = nil; return nil }
	if _, err := r.Ledger.UpdateRecord(ctx, doc, release); err != nil {
		return doc, err
	}

	_, err := r.Answers.Succeed(ctx, in.TaskToken, doc)

	return doc, err
}

// setWeight records the step before it takes it: see gate.
func (r *Ramp) setWeight(ctx context.Context, doc, next sm.Document, record sm.Record) error {
	if record.Step < next.Step || record.Weight < next.Weight {
		_, err := r.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
			r.Step, r.Weight = next.Step, next.Weight
			return nil
		})
		if err != nil {
			return err
		}
	}

	err := r.Ledger.Lease(doc).GuardGrowth(ctx,
		func(ctx context.Context, verify func(context.Context) error) error {
			return r.Routes.Put(ctx, routing.Ramp(doc, next.Weight, record), verify)
		})
	if err != nil {
		return fmt.Errorf("set the weight to %d: %w", next.Weight, err)
	}

	return nil
}

// bake stores the token and starts the timer. The write that stores the token shows every signal
// that came before it; those after it find the token.
func (r *Ramp) bake(
	ctx context.Context, in sm.RampInput, before sm.Record, next nextDocument,
) (sm.Document, error) {
	doc, now := in.Document, time.Now().UTC()
	wait := &sm.Wait{
		TaskToken: in.TaskToken, Schedule: timer.BakeName(next.doc),
		Since: now, Until: now.Add(next.bake), Document: next.doc,
	}

	if next.doc.Step == doc.Step && before.Wait != nil { // extended: the calls of the whole bake count
		wait.Since = before.Wait.Since
	}

	event := sm.Event{State: sm.Ramp, Kind: sm.EventWeight, Text: next.text}

	record, err := r.Ledger.Append(ctx, doc, event, func(record *sm.Record) {
		wait.Paused, record.Held = nil, nil

		switch {
		case record.Paused():
			wait.Paused, record.Held = &now, ledger.HeldByOperator(*record, now)
		case next.unsure:
			wait.Paused, record.Held = &now, &sm.Held{
				By: sm.HeldByVerdict, Why: "the metrics never said enough", Since: now,
			}
		}

		record.SetWeight(next.doc.Weight, now)
		record.Wait = wait
	})
	if err != nil {
		return doc, err
	}

	timer.CancelPrevious(ctx, r.Schedules, before.Wait, wait)

	if err := ledger.Interruption(record); err != nil {
		return doc, err
	}

	// Where the word to promote came just now, the next step goes all the way.
	if record.PromotedByHand() || doc.Hotfix {
		next.doc.Waived = true
		_, err := r.Answers.Succeed(ctx, in.TaskToken, next.doc)

		return next.doc, err
	}

	if wait.Paused != nil {
		return next.doc, nil
	}

	return next.doc, timer.Start(ctx, r.Ledger, r.Schedules, doc.Release)
}
