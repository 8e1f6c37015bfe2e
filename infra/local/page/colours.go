package page

import (
	"cmp"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// palette is how many colours the page has for releases; assets/page.css defines them.
const palette = 10

// colours remembers the colour of each release. A release that is released again gets a new
// sequence and a new beginning, but keeps its colour.
type colours struct {
	next int
	of   map[string]int
}

// assign gives each new release a colour, in the order in which the releases began. It skips the
// colours of the releases that the environments carry. It returns the colours of all releases.
func (c *colours) assign(s Snapshot) map[string]int {
	if c.of == nil {
		c.of = map[string]int{}
	}

	records := slices.SortedStableFunc(slices.Values(s.Records), func(a, b sm.Record) int {
		return cmp.Or(firstBegan(a).Compare(firstBegan(b)), cmp.Compare(a.Release, b.Release))
	})

	for _, r := range records {
		if _, ok := c.of[r.Release]; ok {
			continue
		}

		for range len(sm.Environments()) {
			if !c.inUse(s, c.next) {
				break
			}

			c.next = (c.next + 1) % palette
		}

		c.of[r.Release] = c.next
		c.next = (c.next + 1) % palette
	}

	return c.of
}

// inUse tells whether an environment carries a release of this colour.
func (c *colours) inUse(s Snapshot, colour int) bool {
	for _, state := range s.Environments {
		if taken, ok := c.of[state.Release]; ok && taken == colour {
			return true
		}
	}

	return false
}

// firstBegan is when the first attempt of a release began; its events go back to it.
func firstBegan(r sm.Record) time.Time {
	if len(r.Events) > 0 && r.Events[0].At.Before(r.Began) {
		return r.Events[0].At
	}

	return r.Began
}
