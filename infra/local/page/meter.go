package page

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// window is how many seconds of traffic the page shows.
const window = 120

// Meter counts requests and errors by release and second, for as long as the page shows them. The
// zero Meter is ready for use.
type Meter struct {
	mu     sync.Mutex
	counts map[string]*[window + 1]count
}

type count struct {
	second           int64
	requests, errors int
}

// Count adds a request that a release answered.
func (m *Meter) Count(release string, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.counts == nil {
		m.counts = map[string]*[window + 1]count{}
	}

	ring := m.counts[release]
	if ring == nil {
		ring = new([window + 1]count)
		m.counts[release] = ring
	}

	second := time.Now().Unix()

	slot := &ring[second%int64(len(ring))]
	if slot.second != second {
		*slot = count{second: second}
	}

	slot.requests++
	if failed {
		slot.errors++
	}
}

// Series returns the counts of the last 120 whole seconds, oldest first, for each release that had
// a request in that time, sorted by release. It forgets the other releases.
func (m *Meter) Series() []Series {
	m.mu.Lock()
	defer m.mu.Unlock()

	last := time.Now().Unix() - 1

	var list []Series

	for release, ring := range m.counts {
		s := Series{release, make([]int, window), make([]int, window)}
		total := 0

		for i := range window {
			second := last - window + 1 + int64(i)
			if slot := ring[second%int64(len(ring))]; slot.second == second {
				s.Requests[i], s.Errors[i] = slot.requests, slot.errors
				total += slot.requests
			}
		}

		if current := ring[(last+1)%int64(len(ring))]; total == 0 && current.second != last+1 {
			delete(m.counts, release)
			continue
		}

		list = append(list, s)
	}

	slices.SortFunc(list, func(a, b Series) int { return strings.Compare(a.Release, b.Release) })

	return list
}
