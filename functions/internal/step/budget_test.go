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
