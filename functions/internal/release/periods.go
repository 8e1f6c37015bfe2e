package release

import (
	"maps"
	"slices"
	"time"
)

// Tally is how often something happened, of how often it could have: failures of calls, orders of
// views.
type Tally struct{ Events, Of float64 }

func (t Tally) plus(o Tally) Tally { return Tally{t.Events + o.Events, t.Of + o.Of} }

func (t Tally) rate() float64 { return t.Events / t.Of }

// Period is one period of the metrics: what both environments counted over the same time.
type Period struct {
	At               time.Time // when it began
	Active, Fallback Tally
	// From and To are the share of the viewers, 0 to 1, that active had when the period began and when
	// it ended. Where they are the same, the calls themselves say the share.
	From, To float64
}

// shares are the smallest and the largest share of the calls that active may have had at any
// moment of the period. While viewers move, trouble of both environments that begins just then
// would else look like active's own.
func (p Period) shares() (least, most float64) {
	share := p.Active.Of / (p.Active.Of + p.Fallback.Of)
	if p.From == p.To {
		return share, share
	}

	return min(share, p.From), max(share, p.To)
}

// Resolution is the period in which metrics of that age can still be read: CloudWatch keeps
// seconds for three hours, minutes for 15 days, five minutes for 63.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func Resolution(finest, age time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case age < 3*time.Hour:
		return finest
	case age < 15*day:
		return max(finest, time.Minute)
	case age < 63*day:
		return max(finest, 5*time.Minute)
	}

	return max(finest, time.Hour)
}

// Middle is the median of the values of a series, 0 of none.
func Middle(series map[int64]float64) float64 {
	if len(series) == 0 {
		return 0
	}

	return slices.Sorted(maps.Values(series))[len(series)/2]
}
