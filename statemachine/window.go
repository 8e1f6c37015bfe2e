package statemachine

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a window is in its own time zone, wherever it is read
)

// Window is a time of the week in which viewers may be moved to a new release.
type Window struct {
	Days []string `json:"days"` // mon ... sun: those on which it opens
	From string   `json:"from"` // 09:00
	// 17:30; at or before From it is on the next day, and 24:00 ends this one
	To   string `json:"to"`
	Zone string `json:"zone"` // Europe/Berlin
}

// Hours is a window as the wall clock of its zone has it.
type Hours struct {
	Days     [7]bool // by time.Weekday
	From, To int     // minutes after midnight
	Zone     *time.Location
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Hours reads a window. What it takes opens every week, or every other where a clock is set
// forward just then; its errors begin with the field.
func (w Window) Hours() (h Hours, err error) {
	if len(w.Days) == 0 {
		return h, fmt.Errorf("days: found none, expected at least one of %s: a window that never opens "+
			"lets nothing through", strings.Join(weekdays, ", "))
	}

	for i, day := range w.Days {
		n := slices.Index(weekdays, day)
		if n < 0 {
			return h, fmt.Errorf("days[%d]: found %q, expected one of %s", i, day,
				strings.Join(weekdays, ", "))
		}

		h.Days[n] = true
	}

	if h.From, err = clock(w.From); err != nil || h.From == midnight {
		return h, fmt.Errorf("from: found %q, expected a time like \"09:00\"", w.From)
	}

	if h.To, err = clock(w.To); err != nil {
		return h, fmt.Errorf("to: found %q, expected a time like \"17:30\", or \"04:00\" for the next "+
			"morning", w.To)
	}

	if h.To == h.From {
		return h, fmt.Errorf("to: found %q, as from, expected another time; a whole day is from "+
			"\"00:00\" to \"24:00\"", w.To)
	}

	if w.Zone == "" || w.Zone == "Local" { // which would be that of whatever machine reads it
		return h, fmt.Errorf("zone: found %q, expected a time zone like \"Europe/Berlin\" or \"UTC\"",
			w.Zone)
	}

	if h.Zone, err = time.LoadLocation(w.Zone); err != nil {
		return h, fmt.Errorf("zone: found %q, expected a time zone like \"Europe/Berlin\" or \"UTC\"",
			w.Zone)
	}

	return h, nil
}

const midnight = 24 * 60

func clock(text string) (minutes int, err error) {
	if text == "24:00" {
		return midnight, nil
	}

	t, err := time.Parse("15:04", text)

	return t.Hour()*60 + t.Minute(), err
}
