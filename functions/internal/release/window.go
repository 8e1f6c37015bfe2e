package release

import (
	"fmt"
	"time"

	"lockstep/statemachine"
)

// Calendar is the set of windows in which the weight may grow. The wall clock decides, minute by
// minute, so daylight saving needs no rule of its own: an hour that is skipped is in no window,
// and an hour that comes twice is in a window twice.
type Calendar []statemachine.Hours

// NewCalendar checks the windows of the settings. Without any, the calendar is always open. Its
// error names the window and the field: windows[0].from: found ..., expected ....
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

// Open tells whether a window is open at a time.
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

// horizon bounds the search for the next opening. A window opens every week, or a week later if the
// clock is set forward over it, so the search always ends before.
const horizon = 5 * 7 * 24 * time.Hour

// Next is the time at which a window opens next, to the minute; now if one is open.
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
