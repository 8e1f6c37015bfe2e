package step

import (
	"fmt"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// nextDocument is the document after a step of the ramp, how long the step bakes, and what to say
// of it.
type nextDocument struct {
	doc    sm.Document
	bake   time.Duration
	text   string
	unsure bool // the extensions are used up: it waits for the operator
}

// nextStep plans the next step: the next weight, the same weight for another bake where the verdict
// was inconclusive, or everyone. It returns NoVerdict where the extensions are used up and the ramp
// says to roll back then.
func nextStep(plan sm.RampPlan, doc sm.Document, record sm.Record) (nextDocument, error) {
	next := doc
	next.Verdict, next.Waived, next.Held, next.Holds = "", false, false, 0

	switch {
	case doc.Hotfix:
		return everyone(plan, next, "100 % at once, a hotfix: "+record.Hotfix), nil
	case record.PromotedByHand():
		return everyone(plan, next, "100 % by the operator's word"), nil
	case doc.Verdict == sm.Inconclusive && doc.Step > 0:
		return extended(plan, doc, next)
	}

	next.Step, next.Extensions = doc.Step+1, 0
	weight, bake := release.RampStep(plan, next.Step)
	next.Weight = max(weight, doc.Weight) // the ramp never falls
	text := fmt.Sprintf("%s of the viewers for %s", release.Percent(next.Weight), bake)

	return nextDocument{doc: next, bake: bake, text: text}, nil
}

func everyone(plan sm.RampPlan, next sm.Document, text string) nextDocument {
	next.Step, next.Weight, next.Extensions = len(plan.Steps), sm.FullWeight, 0

	return nextDocument{doc: next, text: text}
}

// extended keeps the weight for another bake.
func extended(plan sm.RampPlan, doc, next sm.Document) (nextDocument, error) {
	weight := release.Percent(doc.Weight)
	_, bake := release.RampStep(plan, doc.Step)

	switch {
	case doc.Extensions < plan.MaxExtensions:
		next.Extensions++
		text := fmt.Sprintf("%s for another %s", weight, bake)

		return nextDocument{doc: next, bake: bake, text: text}, nil
	case plan.OnInconclusive == sm.RollBackUnsure:
		return nextDocument{doc: next}, sm.Errorf(sm.NoVerdict,
			"no verdict at %s after %d extensions, and the ramp says to roll back then",
			weight, doc.Extensions)
	}

	text := fmt.Sprintf("%s: still no verdict after %d extensions: held for the operator",
		weight, doc.Extensions)

	return nextDocument{doc: next, bake: bake, text: text, unsure: true}, nil
}
