package metrics

import (
	"cmp"
	"math"
	"slices"
)

// CloudWatch keeps seconds for three hours and minutes for fifteen days.
const (
	keepSeconds = 3 * 60 * 60
	keepMinutes = 15 * 24 * 60 * 60
)

// series is the data of one metric, oldest first.
type series struct {
	Unit    string
	Seconds []bucket
	Minutes []bucket
}

// bucket aggregates the values of one second or one minute.
type bucket struct {
	Start                int64
	Count, Sum, Min, Max float64
	// Bins is a histogram with bins of 2 %. Opaque says that some values are missing in it.
	Bins   []bin
	Opaque bool
}

type bin struct {
	Key   int32
	Count float32
}

var binWidth = math.Log(1.02)

const zeroBin = math.MinInt32

func (s *Service) record(key, unit string) *series {
	for _, a := range slices.Clone(s.asleep[key]) {
		s.wake(a)
	}

	one := s.series[key]
	if one == nil {
		one = &series{Unit: unit}
		s.series[key] = one
	}

	return one
}

// find returns a series, which is empty if the metric has no data in that unit.
func (s *Service) find(key, unit string) *series {
	if one := s.series[key]; one != nil && (unit == "" || unit == one.Unit) {
		return one
	}

	return &series{}
}

// newest is the start of the last bucket, or 0 if there is none.
func (s *series) newest() (start int64) {
	for _, buckets := range [][]bucket{s.Minutes, s.Seconds} {
		if n := len(buckets); n > 0 {
			start = max(start, buckets[n-1].Start)
		}
	}

	return start
}

// at returns the bucket for a time. It first merges old seconds into minutes and drops old minutes.
func (s *series) at(unix, now int64) *bucket {
	for len(s.Seconds) > 0 && s.Seconds[0].Start < now-keepSeconds {
		old := s.Seconds[0]
		place(&s.Minutes, old.Start-old.Start%60).merge(old)
		s.Seconds = s.Seconds[1:]
	}

	for len(s.Minutes) > 0 && s.Minutes[0].Start < now-keepMinutes {
		s.Minutes = s.Minutes[1:]
	}

	if unix < now-keepSeconds {
		return place(&s.Minutes, unix-unix%60)
	}

	return place(&s.Seconds, unix)
}

// place finds or inserts a bucket. It is nearly always the last one.
func place(buckets *[]bucket, start int64) *bucket {
	list := *buckets
	if n := len(list); n > 0 && list[n-1].Start == start {
		return &list[n-1]
	}

	i, found := slices.BinarySearchFunc(list, start, byStart)
	if !found {
		list = slices.Insert(list, i, bucket{Start: start, Min: math.Inf(1), Max: math.Inf(-1)})
		*buckets = list
	}

	return &list[i]
}

func byStart(b bucket, start int64) int { return cmp.Compare(b.Start, start) }

// between merges the buckets in [from, to).
func (s *series) between(from, to int64) bucket {
	all := bucket{Start: from, Min: math.Inf(1), Max: math.Inf(-1)}
	for _, buckets := range [][]bucket{s.Minutes, s.Seconds} {
		i, _ := slices.BinarySearchFunc(buckets, from, byStart)
		for ; i < len(buckets) && buckets[i].Start < to; i++ {
			all.merge(buckets[i])
		}
	}

	return all
}

// add records a value that occurred count times.
func (b *bucket) add(value, count float64) {
	b.widen(count, value*count, value, value)

	switch {
	case value > 0:
		b.fill(bin{int32(math.Floor(math.Log(value) / binWidth)), float32(count)})
	case value == 0:
		b.fill(bin{zeroBin, float32(count)})
	default: // CloudWatch has no percentiles of negative values
		b.Opaque = true
	}
}

// addSet records a statistic set. Its values are known only if they are all equal.
func (b *bucket) addSet(count, sum, low, high float64) {
	if low == high {
		b.add(low, count)
		return
	}

	b.widen(count, sum, low, high)
	b.Opaque = true
}

func (b *bucket) widen(count, sum, low, high float64) {
	b.Count += count
	b.Sum += sum
	b.Min, b.Max = min(b.Min, low), max(b.Max, high)
}

func (b *bucket) fill(one bin) {
	i, found := slices.BinarySearchFunc(b.Bins, one.Key,
		func(b bin, key int32) int { return cmp.Compare(b.Key, key) })
	if !found {
		b.Bins = slices.Insert(b.Bins, i, bin{Key: one.Key})
	}

	b.Bins[i].Count += one.Count
}

func (b *bucket) merge(other bucket) {
	b.widen(other.Count, other.Sum, other.Min, other.Max)

	b.Opaque = b.Opaque || other.Opaque
	for _, one := range other.Bins {
		b.fill(one)
	}
}

// percentile is exact to 1 % of the value.
func (b *bucket) percentile(p float64) (float64, bool) {
	if b.Opaque || b.Count == 0 {
		return 0, false
	}

	rank, seen, value := p/100*b.Count, 0.0, b.Max
	for _, one := range b.Bins {
		if seen += float64(one.Count); seen >= rank {
			value = one.value()
			break
		}
	}

	return min(max(value, b.Min), b.Max), true
}

// trimmedCount is the number of values in (above, upTo]. Each counts as the middle of its bin.
func (b *bucket) trimmedCount(above, upTo float64) (float64, bool) {
	if b.Opaque || b.Count == 0 {
		return 0, false
	}

	n := 0.0

	for _, one := range b.Bins {
		if value := min(max(one.value(), b.Min), b.Max); value > above && value <= upTo {
			n += float64(one.Count)
		}
	}

	return n, true
}

func (b bin) value() float64 {
	if b.Key == zeroBin {
		return 0
	}

	return math.Exp((float64(b.Key) + 0.5) * binWidth)
}
