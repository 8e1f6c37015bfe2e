package metrics

import (
	"math"
	"regexp"
	"slices"
	"strconv"
)

// statistic computes a number from a bucket, if the bucket has data for it.
type statistic func(b *bucket) (float64, bool)

var (
	percentilePattern   = regexp.MustCompile(`^p(100|\d{1,2}(?:\.\d{1,10})?)$`)
	trimmedCountPattern = regexp.MustCompile(
		`^(?:TC|tc)\((\d+(?:\.\d{1,10})?)?:(\d+(?:\.\d{1,10})?)?\)$`)
)

func parseStatistic(name string) (statistic, error) {
	if match := percentilePattern.FindStringSubmatch(name); match != nil {
		p, err := strconv.ParseFloat(match[1], 64)
		return func(b *bucket) (float64, bool) { return b.percentile(p) }, err
	}

	if match := trimmedCountPattern.FindStringSubmatch(name); match != nil && match[1]+match[2] != "" {
		above, upTo := math.Inf(-1), math.Inf(1)
		for i, bound := range []*float64{&above, &upTo} {
			if match[i+1] != "" {
				*bound, _ = strconv.ParseFloat(match[i+1], 64)
			}
		}

		if above < upTo {
			return func(b *bucket) (float64, bool) { return b.trimmedCount(above, upTo) }, nil
		}
	}

	var take func(b *bucket) float64

	switch name {
	case "Sum":
		take = func(b *bucket) float64 { return b.Sum }
	case "Average":
		take = func(b *bucket) float64 { return b.Sum / b.Count }
	case "SampleCount":
		take = func(b *bucket) float64 { return b.Count }
	case "Minimum":
		take = func(b *bucket) float64 { return b.Min }
	case "Maximum":
		take = func(b *bucket) float64 { return b.Max }
	default:
		return nil, invalid("The value %s for parameter Stat is not supported: expected "+
			"Sum, Average, SampleCount, Minimum, Maximum, pNN or TC(low:high).", name)
	}

	return func(b *bucket) (float64, bool) { return take(b), b.Count > 0 }, nil
}

// checkPeriod refuses periods at which CloudWatch cannot read a metric.
func checkPeriod(period int32) error {
	if slices.Contains([]int32{1, 5, 10, 20, 30}, period) || period > 0 && period%60 == 0 {
		return nil
	}

	return invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, found %d.",
		period)
}
