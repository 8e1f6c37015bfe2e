package page

import (
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// headline sums up the state of the run: a title and a sentence below it.
type headline struct {
	Text   string `json:"text"`
	Detail string `json:"detail"`
	Full   string `json:"full,omitempty"` // the whole detail, if Detail is shortened
	Tone   string `json:"tone"`           // "calm", "going", "held", "good" or "bad"
}

func headlineOf(s Snapshot, r sm.Record) headline {
	if r.Release == "" && s.Control == (sm.Control{}) {
		return headline{
			Text: "Setting up the stack",
			Detail: "Postgres is starting and the Lambdas are being compiled. " +
				"The first release starts by itself.",
			Tone: "going",
		}
	}

	if r.Release == "" {
		return headline{
			Text:   "Nothing has been released yet",
			Detail: "The first release appears here by itself.",
			Tone:   "calm",
		}
	}

	stable := s.Environments[s.Control.Fallback].Release

	switch r.Outcome {
	case sm.Released:
		return headline{
			Text: "Everyone has " + r.Release, Detail: duration(r) + contractFailure(r), Tone: "good",
		}
	case sm.RolledBack:
		text := r.Release + " was rolled back"
		if stable != "" {
			text += ", everyone has " + stable
		}

		return withCause(text, r.Cause, "bad")
	case sm.Refused:
		return withCause(r.Release+" was refused, nothing was changed", r.Cause, "bad")
	case sm.Superseded:
		return withCause(r.Release+" was superseded by a newer release", r.Cause, "calm")
	}

	return underWay(r, stable)
}

func withCause(text string, cause sm.Cause, tone string) headline {
	return headline{text, cause.Brief(), cause.String(), tone}
}

func underWay(r sm.Record, stable string) headline {
	if r.State == sm.Rollback || rollsBack(r) {
		return withCause("Rolling "+r.Release+" back", r.Cause, "bad")
	}

	text, detail := progress(r, stable)
	h := headline{Text: text, Detail: detail, Tone: "going"}

	switch {
	case r.Held != nil:
		h.Detail, h.Tone = "Held: "+r.Held.Why+goesOn(*r.Held), "held"
	case r.Hotfix != "":
		h.Detail = "A hotfix, without a ramp: " + r.Hotfix
	}

	return h
}

// progress describes the state that a release is in.
func progress(r sm.Record, stable string) (text, detail string) {
	switch r.State {
	case sm.Begin:
		return r.Release + " begins", fmt.Sprintf(
			"It goes to environment %s; %s keeps serving everyone.", r.Active, r.Fallback)
	case sm.Sync:
		return fmt.Sprintf("Syncing %s with %s", r.Active, r.Fallback),
			r.Release + " will be deployed over exactly what is live."
	case sm.Expand:
		return "Expanding the schema for " + r.Release, "Old and new code both work with it."
	case sm.Deploy:
		return fmt.Sprintf("Deploying %s to %s", r.Release, r.Active), "No viewer is sent there yet."
	case sm.Probe:
		return "Probing " + r.Release, "No viewer is sent there yet."
	case sm.Ramp, sm.CheckAlarms:
		return fmt.Sprintf("%s of the viewers have %s", percent(r.Weight), r.Release),
			rampDetail(r, stable)
	case sm.Promote:
		return "Promoting " + r.Release, "The two environments swap their roles."
	case sm.Drain:
		return "Everyone has " + r.Release, "Waiting until nobody calls the old environment any more."
	case sm.Contract:
		return "Contracting the schema for " + r.Release, "This is the point of no return."
	}

	return fmt.Sprintf("%s is in %s", r.Release, r.State), ""
}

func rampDetail(r sm.Record, stable string) string {
	if stable == "" {
		stable = "the previous version"
	}

	detail := "Everyone else stays with " + stable + "."
	if r.Weight == sm.FullWeight {
		detail = stable + " stands by until the last check."
	}

	if r.Wait != nil && r.Wait.Paused != nil && r.Held == nil {
		return "Paused. " + detail
	}

	return detail
}

// goesOn says what ends a hold, in the words of the buttons.
func goesOn(h sm.Held) string {
	switch h.By {
	case sm.HeldByApproval:
		return ". It waits for an operator to approve it."
	case sm.HeldByDrain:
		return ". It waits for an operator to contract it or roll it back."
	case sm.HeldByFreeze:
		return ". It goes on once the freeze ends."
	case sm.HeldByWindow:
		return ". It goes on by itself then."
	}

	return ". It waits for an operator to resume it, promote it or roll it back."
}

func duration(r sm.Record) string {
	if r.Ended == nil {
		return ""
	}

	return fmt.Sprintf("Released in %.0f seconds.", r.Ended.Sub(r.Began).Seconds())
}

// contractFailure says why a released release was not contracted.
func contractFailure(r sm.Record) string {
	if r.Cause.IsZero() {
		return ""
	}

	return " Not contracted: " + r.Cause.String()
}

// rollsBack tells whether the present attempt has entered Rollback.
func rollsBack(r sm.Record) bool {
	return slices.ContainsFunc(attemptEvents(r), func(e sm.Event) bool {
		return e.State == sm.Rollback
	})
}
