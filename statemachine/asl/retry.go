package asl

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// retrier is one element of Retry.
type retrier struct {
	errors      []string
	interval    int64
	maxAttempts int64
	backoff     float64
	maxDelay    int64 // in seconds, as interval; 0 for none
	jitter      bool
}

// catcher is one element of Catch.
type catcher struct {
	errors []string
	result *path
	next   string
}

// delay is how long to wait before the retry with this number, counted from 0.
func (c retrier) delay(retry int64) time.Duration {
	seconds := float64(c.interval) * math.Pow(c.backoff, float64(retry))
	if c.maxDelay > 0 {
		seconds = min(seconds, float64(c.maxDelay))
	}

	if c.jitter {
		seconds *= chance()
	}

	return time.Duration(min(seconds, maxSeconds) * float64(time.Second))
}

// chance is a random number from 0 to 1. It is from crypto/rand, since testing/cryptotest can fix
// its seed: a simulated run can be repeated.
func chance() float64 {
	var random [8]byte

	_, _ = rand.Read(random[:]) // never fails

	return float64(binary.LittleEndian.Uint64(random[:])>>11) / (1 << 53)
}

func (o *object) retriers() []retrier {
	raws := o.list("Retry")

	list := make([]retrier, len(raws))
	for i, raw := range raws {
		in, _ := readObject(fmt.Sprintf("%s: Retry[%d]", o.at, i), raw, o.problems)
		in.text("Comment")

		c := retrier{
			errors:      in.errorEquals(i == len(raws)-1),
			interval:    in.integer("IntervalSeconds", 1, maxSeconds, 1),
			maxAttempts: in.integer("MaxAttempts", 0, maxSeconds, 3),
			backoff:     2,
			maxDelay:    in.integer("MaxDelaySeconds", 1, 31_622_400, 0),
		}
		if in.into("BackoffRate", "a number from 1", &c.backoff) && c.backoff < 1 {
			in.refuse("BackoffRate", "found %v, expected a number from 1", c.backoff)
		}

		if c.maxDelay > 0 && c.maxDelay <= c.interval {
			in.refuse("MaxDelaySeconds", "found %d, expected more than IntervalSeconds, %d", c.maxDelay,
				c.interval)
		}

		if jitter, ok := in.text("JitterStrategy"); ok {
			if jitter != "FULL" && jitter != "NONE" {
				in.refuse("JitterStrategy", "found %q, expected \"FULL\" or \"NONE\"", jitter)
			}

			c.jitter = jitter == "FULL"
		}

		in.done()

		list[i] = c
	}

	return list
}

func (o *object) catchers() []catcher {
	raws := o.list("Catch")

	list := make([]catcher, len(raws))
	for i, raw := range raws {
		in, _ := readObject(fmt.Sprintf("%s: Catch[%d]", o.at, i), raw, o.problems)
		in.text("Comment")

		c := catcher{errors: in.errorEquals(i == len(raws)-1),
			result: in.filter("ResultPath", parseReference)}
		if c.next, _ = in.text("Next"); c.next == "" {
			in.refuse("Next", "missing")
		}

		in.done()

		list[i] = c
	}

	return list
}

// errorEquals takes ErrorEquals; last says that the element is the last of its list.
func (o *object) errorEquals(last bool) []string {
	const field = "ErrorEquals"

	var names []string
	if !o.into(field, "a list of error names", &names) || len(names) == 0 {
		o.refuse(field, "found no error name, expected at least one")
	}

	for _, name := range names {
		if strings.HasPrefix(name, "States.") && !slices.Contains(reserved, name) || name == "" {
			o.refuse(field, "found %q, which no state reports to a Retry or Catch", name)
		}
	}

	if slices.Contains(names, All) && (len(names) > 1 || !last) {
		o.refuse(field, "States.ALL must stand alone, in the last element")
	}

	return names
}
