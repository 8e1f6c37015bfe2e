package evidence

import (
	"context"
	"fmt"
	"time"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// imperceptible is how many milliseconds a call may always take.
const imperceptible = 50

// paces finds out what counts as slow.
type paces struct {
	settings sm.Settings
	traffic  Traffic
	period   time.Duration
}

// of is what the record says, or else what nine of ten calls of the fallback took less than before
// the ramp; where it had no calls then, before now. It is nil where latency is not compared, or
// the fallback has no calls.
func (p paces) of(
	ctx context.Context, fallback sm.Environment, record sm.Record, ramp, now time.Time,
) (*sm.Pace, error) {
	if record.Pace != nil || p.settings.Verdict.Slow == 0 {
		return record.Pace, nil
	}

	series := []sm.Series{p.settings.Calls("Latency", "p90").In(fallback)}

	for _, until := range []time.Time{ramp, now.Truncate(p.period)} {
		counts, err := p.traffic.Counts(ctx, series, p.period, until.Add(-Baseline), until)
		if err != nil {
			return nil, fmt.Errorf("see how long the calls of %s take: %w", fallback, err)
		}

		if above := release.Median(counts[0]); above > 0 {
			return &sm.Pace{Above: max(above, imperceptible), Since: until}, nil
		}
	}

	return nil, nil
}
