package page

import (
	"cmp"
	"slices"
	"time"

	sm "lockstep/statemachine"
)

// palette is how many colours the page has for releases; assets/page.css has them.
const palette = 10

// colours remembers which colour each release has: one that is released again gets a new sequence
// and a new beginning, but not a new colour.
type colours struct {
	next int
	of   map[string]int
}

// see gives every release that is new its colour, in the order in which they began: the next in
// turn that neither environment shows.
func (c *colours) see(s Snapshot) map[string]int {
	if c.of == nil {
		c.of = map[string]int{}
	}

	for _, r := range slices.SortedStableFunc(slices.Values(s.Records), func(a, b sm.Record) int {
		return cmp.Or(firstBegan(a).Compare(firstBegan(b)), cmp.Compare(a.Release, b.Release))
	}) {
		if _, ok := c.of[r.Release]; ok {
			continue
		}

		for range len(sm.Environments()) {
			if !c.shown(s, c.next) {
				break
			}

			c.next = (c.next + 1) % palette
		}

		c.of[r.Release] = c.next
		c.next = (c.next + 1) % palette
	}

	return c.of
}

func (c *colours) shown(s Snapshot, colour int) bool {
	for _, carries := range s.Carries {
		if taken, ok := c.of[carries.Release]; ok && taken == colour {
			return true
		}
	}

	return false
}

// firstBegan is when the first attempt began: the story goes back to it.
func firstBegan(r sm.Record) time.Time {
	if len(r.Events) > 0 && r.Events[0].At.Before(r.Began) {
		return r.Events[0].At
	}

	return r.Began
}
