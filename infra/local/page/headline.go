package page

import (
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// headline says in one sentence how things stand: Tone is "calm", "going", "held", "good" or "bad".
type headline struct {
	Text   string `json:"text"`
	Detail string `json:"detail"`
	Full   string `json:"full,omitempty"` // where Detail is shortened
	Tone   string `json:"tone"`
}

func headlineOf(s Snapshot, r sm.Record) headline {
	stable := s.Carries[s.Control.Fallback].Release
	if r.Release == "" && s.Control == (sm.Control{}) {
		return headline{Text: "Setting the stack up",
			Detail: "Postgres is starting and the Lambdas are being compiled; the first release follows by " +
				"itself.", Tone: "going"}
	}

	if r.Release == "" {
		return headline{Text: "Nothing has been released yet",
			Detail: "The first release appears here by itself.", Tone: "calm"}
	}

	switch r.Outcome {
	case sm.Released:
		return headline{Text: "Everyone has " + r.Release, Detail: took(r) + fellBehind(r), Tone: "good"}
	case sm.RolledBack:
		text := r.Release + " was rolled back"
		if stable != "" {
			text += ", everyone has " + stable
		}

		return because(text, r.Cause, "bad")
	case sm.Refused:
		return because(r.Release+" was refused, nothing was changed", r.Cause, "bad")
	case sm.Superseded:
		return because(r.Release+" gave way to a newer release", r.Cause, "calm")
	}

	return underWay(r, stable)
}

func because(text string, cause sm.Cause, tone string) headline {
	return headline{text, cause.Brief(), cause.String(), tone}
}

func underWay(r sm.Record, stable string) headline {
	h := headline{Tone: "going"}

	switch r.State {
	case sm.Begin:
		h.Text, h.Detail = r.Release+" begins", fmt.Sprintf("It goes to environment %s; %s keeps "+
			"serving everyone.", r.Active, r.Fallback)
	case sm.Sync:
		h.Text, h.Detail = fmt.Sprintf("Making %s level with %s", r.Active,
			r.Fallback), fmt.Sprintf("So that %s meets exactly what is live.", r.Release)
	case sm.Expand:
		h.Text, h.Detail = "Widening the schema for "+r.Release, "Old and new code both work with it."
	case sm.Deploy:
		h.Text, h.Detail = fmt.Sprintf("Deploying %s to %s", r.Release,
			r.Active), "Nobody is sent there yet."
	case sm.Probe:
		h.Text, h.Detail = fmt.Sprintf("Trying %s before anyone else does",
			r.Release), "Nobody is sent there yet."
	case sm.Ramp, sm.CheckAlarms:
		h.Text, h.Detail = fmt.Sprintf("%s of the viewers have %s", percent(r.Weight),
			r.Release), "Everyone else stays with "+orNothing(stable)+"."
		if r.Weight == sm.FullWeight {
			h.Detail = orNothing(stable) + " stands by until the last look."
		}

		if r.Wait != nil && r.Wait.Paused != nil && r.Held == nil {
			h.Detail = "Paused. " + h.Detail
		}
	case sm.Promote:
		h.Text, h.Detail = "Promoting "+r.Release, "The two environments swap their roles."
	case sm.Drain:
		h.Text, h.Detail = "Everyone has "+r.Release, "Waiting until nobody calls the old environment "+
			"any more."
	case sm.Contract:
		h.Text, h.Detail = "Narrowing the schema for "+r.Release, "This is the point of no return."
	case sm.Rollback:
		return because("Rolling "+r.Release+" back", r.Cause, "bad")
	default:
		h.Text = fmt.Sprintf("%s is in %s", r.Release, r.State)
	}

	if slices.ContainsFunc(attempt(r), func(e sm.Event) bool { return e.State == sm.Rollback }) {
		return because("Rolling "+r.Release+" back", r.Cause, "bad")
	}

	switch {
	case r.Held != nil:
		h.Detail, h.Tone = "Held: "+r.Held.Why+goesOn(*r.Held), "held"
	case r.Hotfix != "":
		h.Detail = "A hotfix, without a ramp: " + r.Hotfix
	}

	return h
}

// goesOn says what ends a hold, in the words of the buttons.
func goesOn(h sm.Held) string {
	switch h.By {
	case sm.HeldByApproval:
		return ". It waits for somebody to approve it."
	case sm.HeldByDrain:
		return ". It waits for somebody to say contract, or to roll back."
	case sm.HeldByFreeze:
		return ". It goes on once that ends."
	case sm.HeldByWindow:
		return ". It goes on by itself then."
	}

	return ". It waits for somebody to resume it, to promote it or to roll back."
}

func took(r sm.Record) string {
	if r.Ended == nil {
		return ""
	}

	return fmt.Sprintf("Released in %.0f seconds.", r.Ended.Sub(r.Began).Seconds())
}

func fellBehind(r sm.Record) string {
	if r.Cause.IsZero() {
		return ""
	}

	return " Not contracted: " + r.Cause.String()
}

func orNothing(release string) string {
	if release == "" {
		return "what there was"
	}

	return release
}
