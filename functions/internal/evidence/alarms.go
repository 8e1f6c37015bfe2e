package evidence

import (
	"context"
	"fmt"
	"slices"

	sm "lockstep/statemachine"
)

// Judging are the environments whose alarms judge a release: active and, once it is promoted, what
// events call.
func Judging(active sm.Environment, r sm.Record) []sm.Environment {
	if r.Promoted == nil {
		return []sm.Environment{active}
	}

	return []sm.Environment{active, sm.LiveAlias}
}

// ringing are the alarms that ring and judge the release, and those that are muted: they rang
// before it began, or ring for what events called before the promotion.
func ringing(
	ctx context.Context, settings sm.Settings, alarms AlarmStates, active sm.Environment,
	record sm.Record,
) (counted, muted []string, err error) {
	names, err := alarms.Ringing(ctx, settings.AlarmNames(Judging(active, record)...))
	if err != nil {
		return nil, nil, fmt.Errorf("see which alarms ring: %w", err)
	}

	live := settings.AlarmNames(sm.LiveAlias)

	for _, name := range names {
		counts := !slices.Contains(record.MutedAlarms, name)

		if counts && slices.Contains(live, name) {
			counts, err = alarms.Breached(ctx, name, *record.Promoted)
			if err != nil {
				return nil, nil, fmt.Errorf("see whether %s rings for what came after the promotion: %w",
					name, err)
			}
		}

		if counts {
			counted = append(counted, name)
		} else {
			muted = append(muted, name)
		}
	}

	return counted, muted, nil
}
