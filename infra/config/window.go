package config

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // a window is in its own time zone, wherever it is read
)

// Window is a time of the week in which a release may begin.
type Window struct {
	Days []string `json:"days"` // mon ... sun
	From string   `json:"from"` // 09:00
	To   string   `json:"to"`   // 17:30, on the same day
	Zone string   `json:"zone"` // Europe/Berlin
}

var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func (c Config) checkWindows() error {
	for i, w := range c.Windows {
		if err := w.check(fmt.Sprintf("windows[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (w Window) check(at string) error {
	if len(w.Days) == 0 {
		return found(at+".days", "none", "at least one of %v: a window that never opens lets nothing through", days)
	}
	for i, day := range w.Days {
		if !slices.Contains(days, day) {
			return found(fmt.Sprintf("%s.days[%d]", at, i), day, "one of %v", days)
		}
	}
	from, err := time.Parse("15:04", w.From)
	if err != nil {
		return found(at+".from", w.From, "a time like \"09:00\"")
	}
	to, err := time.Parse("15:04", w.To)
	if err != nil {
		return found(at+".to", w.To, "a time like \"17:30\"")
	}
	if !to.After(from) {
		return found(at+".to", w.To, "a time after %s: a window that never opens lets nothing through", w.From)
	}
	if _, err := time.LoadLocation(w.Zone); err != nil || w.Zone == "" {
		return found(at+".zone", w.Zone, "a time zone like \"Europe/Berlin\" or \"UTC\"")
	}
	return nil
}
