package release

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"lockstep/statemachine"
)

var workdays = []string{"mon", "tue", "wed", "thu", "fri"}

func TestCalendar(t *testing.T) {
	window := func(zone, from, to string, days ...string) statemachine.Window {
		return statemachine.Window{Days: days, From: from, To: to, Zone: zone}
	}
	for name, c := range map[string]struct {
		windows []statemachine.Window
		now     string // RFC 3339
		next    string // the same for open now
	}{
		"no windows": {nil, "2026-11-29T03:00:00Z", "2026-11-29T03:00:00Z"},
		"in one": {[]statemachine.Window{window("UTC", "09:00", "17:00",
			workdays...)}, "2026-11-25T09:00:00Z", "2026-11-25T09:00:00Z"},
		"its last minute": {[]statemachine.Window{window("UTC", "09:00", "17:00",
			workdays...)}, "2026-11-25T16:59:59Z", "2026-11-25T16:59:59Z"},
		"its end": {[]statemachine.Window{window("UTC", "09:00", "17:00",
			workdays...)}, "2026-11-25T17:00:00Z", "2026-11-26T09:00:00Z"},
		"half a second too early": {[]statemachine.Window{window("UTC", "09:00", "17:00",
			workdays...)}, "2026-11-25T08:59:59.5Z", "2026-11-25T09:00:00Z"},
		"over the weekend": {[]statemachine.Window{window("UTC", "09:00", "17:00",
			workdays...)}, "2026-11-27T17:30:00Z", "2026-11-30T09:00:00Z"},
		"the soonest of two": {[]statemachine.Window{window("UTC", "09:00", "10:00", "mon"),
			window("UTC", "20:00", "21:00", "sat")}, "2026-11-27T17:30:00Z", "2026-11-28T20:00:00Z"},
		"two that overlap": {[]statemachine.Window{window("UTC", "09:00", "12:00", "wed"),
			window("UTC", "11:00", "14:00", "wed")}, "2026-11-25T13:00:00Z", "2026-11-25T13:00:00Z"},
		"the whole day": {[]statemachine.Window{window("UTC", "00:00", "24:00",
			"wed")}, "2026-11-25T23:59:00Z", "2026-11-25T23:59:00Z"},
		"the day after": {[]statemachine.Window{window("UTC", "00:00", "24:00",
			"wed")}, "2026-11-26T00:00:00Z", "2026-12-02T00:00:00Z"},
		"at midnight": {[]statemachine.Window{window("UTC", "00:00", "01:00",
			"thu")}, "2026-11-25T23:59:59Z", "2026-11-26T00:00:00Z"},
		"across midnight, before": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"fri")}, "2026-11-27T22:00:00Z", "2026-11-27T22:00:00Z"},
		"across midnight, after": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"fri")}, "2026-11-28T03:59:00Z", "2026-11-28T03:59:00Z"},
		"across midnight, over": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"fri")}, "2026-11-28T04:00:00Z", "2026-12-04T22:00:00Z"},
		"across midnight, the day's own": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"fri")}, "2026-11-27T03:00:00Z", "2026-11-27T22:00:00Z"},
		"across the end of the week": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"sat")}, "2026-11-29T02:00:00Z", "2026-11-29T02:00:00Z"},
		"across the end of the year": {[]statemachine.Window{window("UTC", "22:00", "04:00",
			"thu")}, "2027-01-01T02:00:00Z", "2027-01-01T02:00:00Z"},
		"east of Greenwich": {[]statemachine.Window{window("Asia/Tokyo", "09:00", "17:00",
			workdays...)}, "2026-11-24T23:00:00Z", "2026-11-25T00:00:00Z"},
		"west of Greenwich": {[]statemachine.Window{window("America/Los_Angeles", "09:00",
			"17:00", workdays...)}, "2026-11-26T00:30:00Z", "2026-11-26T00:30:00Z"},
		"where it is Friday still": {[]statemachine.Window{window("America/Los_Angeles", "09:00",
			"17:00", "fri")}, "2026-11-28T00:30:00Z", "2026-11-28T00:30:00Z"},
		"a quarter of an hour off": {[]statemachine.Window{window("Asia/Kathmandu", "09:00",
			"17:00", workdays...)}, "2026-11-25T02:00:00Z", "2026-11-25T03:15:00Z"},
		"summer time has begun": {[]statemachine.Window{window("Europe/Berlin", "09:00",
			"17:00", "sun")}, "2026-03-29T00:00:00Z", "2026-03-29T07:00:00Z"},
		"summer time has ended": {[]statemachine.Window{window("Europe/Berlin", "09:00",
			"17:00", "sun")}, "2026-10-25T00:00:00Z", "2026-10-25T08:00:00Z"},
		"it opens in the skipped hour": {[]statemachine.Window{window("Europe/Berlin", "02:30",
			"04:00", "sun")}, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		"it closes in the skipped hour": {[]statemachine.Window{window("Europe/Berlin", "01:00",
			"02:30", "sun")}, "2026-03-29T01:00:00Z", "2026-04-04T23:00:00Z"},
		"all of it is skipped": {[]statemachine.Window{window("Europe/Berlin", "02:10",
			"02:50", "sun")}, "2026-03-28T12:00:00Z", "2026-04-05T00:10:00Z"},
		"all of it is skipped, in the US": {[]statemachine.Window{window("America/New_York", "02:00",
			"03:00", "sun")}, "2026-03-08T05:00:00Z", "2026-03-15T06:00:00Z"},
		"the hour that comes twice, first": {[]statemachine.Window{window("Europe/Berlin", "02:15",
			"02:45", "sun")}, "2026-10-25T00:20:00Z", "2026-10-25T00:20:00Z"},
		"between the two": {[]statemachine.Window{window("Europe/Berlin", "02:15",
			"02:45", "sun")}, "2026-10-25T00:50:00Z", "2026-10-25T01:15:00Z"},
		"the hour that comes twice, again": {[]statemachine.Window{window("Europe/Berlin", "02:15",
			"02:45", "sun")}, "2026-10-25T01:20:00Z", "2026-10-25T01:20:00Z"},
		"across midnight and the change": {[]statemachine.Window{window("Europe/Berlin", "22:00",
			"04:00", "sat")}, "2026-10-25T02:30:00Z", "2026-10-25T02:30:00Z"},
		"across midnight, skipping": {[]statemachine.Window{window("Europe/Berlin", "22:00",
			"04:00", "sat")}, "2026-03-29T02:00:00Z", "2026-04-04T20:00:00Z"},
		"south, where summer is winter": {[]statemachine.Window{window("Australia/Sydney", "09:00",
			"17:00", "mon")}, "2026-10-04T12:00:00Z", "2026-10-04T22:00:00Z"},
		"a change of half an hour": {[]statemachine.Window{window("Australia/Lord_Howe", "02:00",
			"02:20", "sun")}, "2026-10-03T12:00:00Z", "2026-10-10T15:00:00Z"},
		"a change at midnight": {[]statemachine.Window{window("America/Santiago", "00:00",
			"01:00", "sun")}, "2026-09-06T03:00:00Z", "2026-09-13T03:00:00Z"},
		"a day that never was": {[]statemachine.Window{window("Pacific/Apia", "09:00",
			"17:00", "fri")}, "2011-12-29T12:00:00Z", "2012-01-05T19:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			calendar, err := NewCalendar(c.windows)
			if err != nil {
				t.Fatal(err)
			}

			now, want := at(t, c.now), at(t, c.next)
			if got := calendar.Next(now); !got.Equal(want) {
				t.Errorf("opens %s, expected %s", got.UTC(), want)
			}

			if calendar.Open(now) != now.Equal(want) {
				t.Errorf("open now is %v", calendar.Open(now))
			}
		})
	}
}

// An empty week is refused, and so is whatever else would never open.
func TestCalendar_Refuses(t *testing.T) {
	for says, w := range map[string]statemachine.Window{
		"windows[0].days: found none": {From: "09:00", To: "17:00", Zone: "UTC"},
		`windows[0].days[0]: found "Mon"`: {Days: []string{"Mon"}, From: "09:00", To: "17:00",
			Zone: "UTC"},
		`windows[0].from: found "24:00"`: {Days: workdays, From: "24:00", To: "17:00",
			Zone: "UTC"},
		`windows[0].from: found ""`: {Days: workdays, To: "17:00", Zone: "UTC"},
		`windows[0].to: found "25:00"`: {Days: workdays, From: "09:00", To: "25:00",
			Zone: "UTC"},
		`windows[0].to: found "09:00", as from`: {Days: workdays, From: "09:00", To: "09:00",
			Zone: "UTC"},
		`windows[0].zone: found "Europe/Atlantis"`: {Days: workdays, From: "09:00", To: "17:00",
			Zone: "Europe/Atlantis"},
		`windows[0].zone: found "", expected a tim`: {Days: workdays, From: "09:00", To: "17:00"},
	} {
		if _, err := NewCalendar([]statemachine.Window{w}); err == nil || len(err.Error()) < len(says) ||
			err.Error()[:len(says)] != says {
			t.Errorf("found %v, expected %s", err, says)
		}
	}
}

// Whatever windows are taken, the next opening is not in the past, is open, and nothing opens
// before it.
func TestCalendar_AlwaysOpensAgain(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo",
		"Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
		"Pacific/Kiritimati", "Africa/Casablanca", "America/St_Johns", "Antarctica/Troll", "America/Santiago", "Asia/Gaza", "Europe/Dublin"}
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	random := rand.New(rand.NewPCG(1, 5))

	clock := func() string { return fmt.Sprintf("%02d:%02d", random.IntN(24), random.IntN(60)) }
	for range 400 {
		w := statemachine.Window{From: clock(), To: clock(), Zone: zones[random.IntN(len(zones))]}
		for w.To == w.From {
			w.To = clock()
		}

		for _, day := range days {
			if random.IntN(4) == 0 {
				w.Days = append(w.Days, day)
			}
		}

		if w.Days == nil {
			w.Days = []string{"sun"} // most clocks are changed on it
		}

		calendar, err := NewCalendar([]statemachine.Window{w})
		if err != nil {
			t.Fatal(err)
		}

		now := time.Unix(1_700_000_000+random.Int64N(20*365*86400), random.Int64N(1e9))

		next := calendar.Next(now)
		if next.Before(now) || !calendar.Open(next) || next.Sub(now) > 15*24*time.Hour {
			t.Errorf("%+v at %s opens %s", w, now, next)
		}

		if before := next.Add(-time.Nanosecond); next.After(now) && calendar.Open(before) {
			t.Errorf("%+v at %s opens %s, though it is open just before", w, now, next)
		}
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()

	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}

	return when
}

func TestApproval(t *testing.T) {
	plan := statemachine.RampPlan{Steps: []statemachine.RampStep{{Percent: 5},
		{Percent: 25, Approval: true}, {Percent: 50}, {Percent: 100, Approval: true}}}
	for _, c := range []struct{ from, to, want int }{{0, 1, 0}, {1, 2, 2}, {2, 3, 0}, {3, 4, 4},
		{0, 4, 4}, {1, 3, 2}, {4, 5, 0}, {2, 2, 0}} {
		if got := Approval(plan, c.from, c.to); got != c.want {
			t.Errorf("from %d to %d: found %d, expected %d", c.from, c.to, got, c.want)
		}
	}
}
