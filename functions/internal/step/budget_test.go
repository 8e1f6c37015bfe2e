package step_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/step"
	sm "lockstep/statemachine"
)

// flow is so many calls a minute, divided as the ramp has set.
type flow struct {
	*world
	perMinute float64
}

func (flow) Calls(context.Context, sm.Environment, time.Time, time.Time) (requests, errors float64,
	err error) {
	return 0, 0, nil
}

func (f flow) Counts(_ context.Context, series []sm.Series, period time.Duration, since,
	until time.Time) (counts []map[int64]float64, err error) {
	weights := f.record("v2").Weights

	for _, s := range series {
		count := map[int64]float64{}

		for at, n := since, 0; at.Before(until); at = at.Add(period) {
			for n < len(weights) && !weights[n].At.After(at) {
				n++
			}

			active := evidence.Share(weights[:n], at)
			if s.Dimensions["Stage"] == sm.B.Stage() {
				active = 1 - active
			}

			count[at.Unix()] = f.perMinute * active * period.Minutes()
		}

		counts = append(counts, count)
	}

	return counts, nil
}

// A history has room for 25,000 events, and each look takes 15 of them.
func TestBudget_OfAWeek_FitsIntoAHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		week := 7 * 24 * time.Hour
		w.settings.Ramp = sm.RampPlan{HarmBudget: 50, Within: sm.Duration(week), MinimumRequests: 20,
			MaxExtensions: 6}
		doc, began, looks := w.release(sm.Ramp), time.Now(), 0

		ramp := step.Ramp{Ledger: w.book(), Settings: w.settings, Routes: routes{w},
			Schedules: schedules{w}, Freeze: freeze{w}, Answers: answers{w}, Traffic: flow{w, 30_000}}
		for ; doc.Weight < sm.FullWeight && looks*15 < 18_000; looks++ {
			doc = must[sm.Document](t)(ramp.Run(t.Context(), sm.RampInput{TaskToken: "ramp", Document: doc}))

			// a schedule comes within a minute
			time.Sleep(time.Until(w.record("v2").Wait.Until) + 30*time.Second)

			doc.Verdict = sm.Healthy
		}

		if took := time.Since(began); doc.Weight < sm.FullWeight || took > week || took < week/2 {
			t.Errorf("after %d looks and %s the weight is %d", looks, took, doc.Weight)
		}
	})
}

// burst is a constant flow, with one minute of a thousand times as much a while ago.
type burst struct {
	flow

	at time.Time
}

func (b burst) Counts(ctx context.Context, series []sm.Series, period time.Duration,
	since, until time.Time,
) ([]map[int64]float64, error) {
	counts, err := b.flow.Counts(ctx, series, period, since, until)
	for _, count := range counts {
		for minute := range int64(6) {
			at := b.at.Truncate(period).Unix() + minute*int64(period/time.Second)
			if _, ok := count[at]; ok {
				count[at] *= 1000
			}
		}
	}

	return counts, err
}

// The budget goes by the traffic of one day: a burst of the day before must not make the next share a
// thousandth of what it would be, and a burst of today does.
func TestBudget_TrafficOfOneDay(t *testing.T) {
	share := func(t *testing.T, ago time.Duration) int {
		w := newWorld(t)
		w.settings.Ramp = sm.RampPlan{HarmBudget: 50, Within: sm.Duration(7 * 24 * time.Hour),
			MinimumRequests: 20, MaxExtensions: 6}
		doc := w.release(sm.Ramp)
		traffic := burst{flow{w, 600}, time.Now().Add(48 * time.Hour).Add(-ago)}
		ramp := step.Ramp{Ledger: w.book(), Settings: w.settings, Routes: routes{w},
			Schedules: schedules{w}, Freeze: freeze{w}, Answers: answers{w}, Traffic: traffic}

		doc = must[sm.Document](t)(ramp.Run(t.Context(), sm.RampInput{TaskToken: "1", Document: doc}))
		first := doc.Weight

		time.Sleep(48 * time.Hour)

		doc.Verdict = sm.Healthy
		doc = must[sm.Document](t)(ramp.Run(t.Context(), sm.RampInput{TaskToken: "2", Document: doc}))

		return doc.Weight - first
	}

	synctest.Test(t, func(t *testing.T) {
		before, today := share(t, 25*time.Hour), share(t, 23*time.Hour)
		if before < 100 || today > 10 {
			t.Errorf("the weight grew by %d after a burst of the day before, by %d after one of today, "+
				"expected only that of today to count", before, today)
		}
	})
}
