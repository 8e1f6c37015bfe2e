package metrics

import (
	"cmp"
	"math"
	"slices"
)

// CloudWatch keeps seconds for three hours and minutes for fifteen days; so do we.
const (
	keepSeconds = 3 * 60 * 60
	keepMinutes = 15 * 24 * 60 * 60
)

// series is what is known of one metric, oldest first.
type series struct {
	unit    string
	seconds []bucket
	minutes []bucket
}

// bucket aggregates the values of one second or one minute.
type bucket struct {
	start                int64
	count, sum, min, max float64
	// bins is a histogram with bins of 2 %; opaque says that it does not have all values.
	bins   []bin
	opaque bool
}

type bin struct {
	key   int32
	count float32
}

var binWidth = math.Log(1.02)

const zeroBin = math.MinInt32

func (s *Service) record(key, unit string) *series {
	for _, a := range slices.Clone(s.asleep[key]) {
		s.wake(a)
	}
	one := s.series[key]
	if one == nil {
		one = &series{unit: unit}
		s.series[key] = one
	}
	return one
}

// find gives an empty series for a metric that has no data in that unit.
func (s *Service) find(key, unit string) *series {
	if one := s.series[key]; one != nil && (unit == "" || unit == one.unit) {
		return one
	}
	return &series{}
}

// newest is where the last bucket starts, 0 where there is none.
func (s *series) newest() (start int64) {
	for _, buckets := range [][]bucket{s.minutes, s.seconds} {
		if n := len(buckets); n > 0 {
			start = max(start, buckets[n-1].start)
		}
	}
	return start
}

// at is the bucket for a time; it first folds what has become old.
func (s *series) at(unix, now int64) *bucket {
	for len(s.seconds) > 0 && s.seconds[0].start < now-keepSeconds {
		old := s.seconds[0]
		place(&s.minutes, old.start-old.start%60).merge(old)
		s.seconds = s.seconds[1:]
	}
	for len(s.minutes) > 0 && s.minutes[0].start < now-keepMinutes {
		s.minutes = s.minutes[1:]
	}
	if unix < now-keepSeconds {
		return place(&s.minutes, unix-unix%60)
	}
	return place(&s.seconds, unix)
}

// place finds or makes a bucket; nearly always it is the last one.
func place(buckets *[]bucket, start int64) *bucket {
	list := *buckets
	if n := len(list); n > 0 && list[n-1].start == start {
		return &list[n-1]
	}
	i, found := slices.BinarySearchFunc(list, start, byStart)
	if !found {
		list = slices.Insert(list, i, bucket{start: start, min: math.Inf(1), max: math.Inf(-1)})
		*buckets = list
	}
	return &list[i]
}

func byStart(b bucket, start int64) int { return cmp.Compare(b.start, start) }

// between merges what lies in [from, to).
func (s *series) between(from, to int64) bucket {
	all := bucket{start: from, min: math.Inf(1), max: math.Inf(-1)}
	for _, buckets := range [][]bucket{s.minutes, s.seconds} {
		i, _ := slices.BinarySearchFunc(buckets, from, byStart)
		for ; i < len(buckets) && buckets[i].start < to; i++ {
			all.merge(buckets[i])
		}
	}
	return all
}

// add records a value that came count times.
func (b *bucket) add(value, count float64) {
	b.widen(count, value*count, value, value)
	switch {
	case value > 0:
		b.fill(bin{int32(math.Floor(math.Log(value) / binWidth)), float32(count)})
	case value == 0:
		b.fill(bin{zeroBin, float32(count)})
	default: // CloudWatch has no percentiles of negative values
		b.opaque = true
	}
}

// addSet records a statistic set, of which only some say which values they stand for.
func (b *bucket) addSet(count, sum, low, high float64) {
	if low == high {
		b.add(low, count)
		return
	}
	b.widen(count, sum, low, high)
	b.opaque = true
}

func (b *bucket) widen(count, sum, low, high float64) {
	b.count += count
	b.sum += sum
	b.min, b.max = min(b.min, low), max(b.max, high)
}

func (b *bucket) fill(one bin) {
	i, found := slices.BinarySearchFunc(b.bins, one.key, func(b bin, key int32) int { return cmp.Compare(b.key, key) })
	if !found {
		b.bins = slices.Insert(b.bins, i, bin{key: one.key})
	}
	b.bins[i].count += one.count
}

func (b *bucket) merge(other bucket) {
	b.widen(other.count, other.sum, other.min, other.max)
	b.opaque = b.opaque || other.opaque
	for _, one := range other.bins {
		b.fill(one)
	}
}

// percentile is exact to one percent of the value.
func (b *bucket) percentile(p float64) (float64, bool) {
	if b.opaque || b.count == 0 {
		return 0, false
	}
	rank, seen, value := p/100*b.count, 0.0, b.max
	for _, one := range b.bins {
		if seen += float64(one.count); seen >= rank {
			value = one.value()
			break
		}
	}
	return min(max(value, b.min), b.max), true
}

// trimmedCount is how many values lie above one bound and not above the other, each taken for the middle of its bin.
func (b *bucket) trimmedCount(above, upTo float64) (float64, bool) {
	if b.opaque || b.count == 0 {
		return 0, false
	}
	n := 0.0
	for _, one := range b.bins {
		if value := min(max(one.value(), b.min), b.max); value > above && value <= upTo {
			n += float64(one.count)
		}
	}
	return n, true
}

func (b bin) value() float64 {
	if b.key == zeroBin {
		return 0
	}
	return math.Exp((float64(b.key) + 0.5) * binWidth)
}
