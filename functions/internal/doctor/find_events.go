package doctor

import (
	"context"
	"strings"

	"lockstep/functions/internal/environment"
	sm "lockstep/statemachine"
)

// EventsDrift is an alias live that names another version than the environment that serves.
const EventsDrift sm.FindingKind = "eventsDrift"

type eventSources struct{ environment.Events }

func (f eventSources) find(ctx context.Context, v *view) ([]finding, error) {
	e := v.roles.Fallback

	differences, err := f.Diff(ctx, e, v.environments[e])
	if err != nil || len(differences) == 0 {
		return nil, err
	}

	texts := make([]string, len(differences))
	for i, d := range differences {
		texts[i] = d.Text
	}

	return []finding{{Finding: sm.Finding{
		Kind: EventsDrift, Subject: sm.LiveAlias,
		Text:   "events call another release than viewers: " + strings.Join(texts, "; "),
		Repair: "let them call what " + string(e) + " has",
	}, repair: func(ctx context.Context, doc sm.Document) error {
		return f.Sync(ctx, doc, e)
	}}}, nil
}
