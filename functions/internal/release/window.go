package release

import (
	"fmt"
	"time"

	"lockstep/statemachine"
)

// Calendar says when viewers may be moved upward. What the wall clock shows decides, minute by
// minute, so that daylight saving needs no rule of its own: an hour that is skipped is in no
// window, one that comes twice is in it twice.
type Calendar []statemachine.Hours

// NewCalendar reads the windows; without any it is always open.
func NewCalendar(windows []statemachine.Window) (Calendar, error) {
	var c Calendar

	for i, w := range windows {
		hours, err := w.Hours()
		if err != nil {
			return nil, fmt.Errorf("windows[%d].%w", i, err)
		}

		c = append(c, hours)
	}

	return c, nil
}

// Open tells whether a window is open.
func (c Calendar) Open(at time.Time) bool {
	for _, h := range c {
		local := at.In(h.Zone)
		today, now := local.Weekday(), local.Hour()*60+local.Minute()

		yesterday := (today + 6) % 7
		switch {
		case h.To > h.From:
			if h.Days[today] && now >= h.From && now < h.To {
				return true
			}
		case h.Days[today] && now >= h.From, h.Days[yesterday] && now < h.To:
			return true
		}
	}

	return len(c) == 0
}

// horizon is beyond the next opening of any window: one that a clock set forward skips opens a
// week later.
const horizon = 5 * 7 * 24 * time.Hour

// Next is when a window opens next: now where one is open.
func (c Calendar) Next(now time.Time) time.Time {
	if c.Open(now) {
		return now
	}

	for at := now.Truncate(time.Minute).Add(time.Minute); ; at = at.Add(time.Minute) {
		if c.Open(at) || at.Sub(now) > horizon {
			return at
		}
	}
}
