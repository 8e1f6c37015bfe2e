package release

import (
	"testing"
	"time"
)

// CloudWatch keeps seconds for 3 hours, minutes for 15 days, 5 minutes for 63 days.
func TestResolution(t *testing.T) {
	const day = 24 * time.Hour

	for _, c := range []struct{ finest, age, want time.Duration }{
		{10 * time.Second, 3*time.Hour - 1, 10 * time.Second},
		{10 * time.Second, 3 * time.Hour, time.Minute},
		{10 * time.Second, 15*day - 1, time.Minute},
		{10 * time.Second, 15 * day, 5 * time.Minute},
		{10 * time.Second, 63*day - 1, 5 * time.Minute},
		{10 * time.Second, 63 * day, time.Hour},
		{10 * time.Minute, time.Hour, 10 * time.Minute},
		{10 * time.Minute, day, 10 * time.Minute},
		{10 * time.Minute, 20 * day, 10 * time.Minute},
		{2 * time.Hour, 100 * day, 2 * time.Hour},
	} {
		if found := Resolution(c.finest, c.age); found != c.want {
			t.Errorf("%s, %s ago: found %s, expected %s", c.finest, c.age, found, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		series map[int64]float64
		want   float64
	}{
		{nil, 0}, {map[int64]float64{60: 7}, 7}, {map[int64]float64{0: 9, 60: 1, 120: 4}, 4},
		{map[int64]float64{0: 9, 60: 1, 120: 4, 180: 5}, 5},
	} {
		if found := Median(c.series); found != c.want {
			t.Errorf("%v: found %g, expected %g", c.series, found, c.want)
		}
	}
}
