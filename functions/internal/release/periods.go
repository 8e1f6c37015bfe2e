package release

import (
	"maps"
	"slices"
	"time"
)

// Tally is how often something happened, and how often it could have: failures among calls, orders
// among views.
type Tally struct{ Events, Of float64 }

func (t Tally) plus(o Tally) Tally { return Tally{t.Events + o.Events, t.Of + o.Of} }

func (t Tally) rate() float64 { return t.Events / t.Of }

// Period is one period of the metrics: what both environments counted in the same time.
type Period struct {
	At               time.Time // when it began
	Active, Fallback Tally
	// From and To are active's share of the viewers, 0 to 1, when the period began and when it ended.
	// If they are equal, the calls themselves give the share.
	From, To float64
}

// shares are the smallest and the largest share of the calls, 0 to 1, that active may have had at
// any moment of the period. They differ while viewers move: an outage of both environments that
// begins just then would otherwise look like active's own.
func (p Period) shares() (least, most float64) {
	share := p.Active.Of / (p.Active.Of + p.Fallback.Of)
	if p.From == p.To {
		return share, share
	}

	return min(share, p.From), max(share, p.To)
}

// Resolution is the shortest period, but not shorter than finest, in which metrics of that age can
// still be read: CloudWatch keeps seconds for 3 hours, minutes for 15 days, 5 minutes for 63 days.
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

// Median is the median of a series' values, the upper one of an even number; 0 for an empty series.
func Median(series map[int64]float64) float64 {
	if len(series) == 0 {
		return 0
	}

	return slices.Sorted(maps.Values(series))[len(series)/2]
}
