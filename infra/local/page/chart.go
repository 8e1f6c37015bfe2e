package page

import (
	"time"

	sm "lockstep/statemachine"
)

// rampChart is the share of the viewers that a release has had, over time.
type rampChart struct {
	Release string       `json:"release"`
	Began   *time.Time   `json:"began"`
	Ended   *time.Time   `json:"ended"`
	Points  []chartPoint `json:"points"`
	Marks   []chartMark  `json:"marks"`
	Plan    []int        `json:"plan"`  // the weights of the steps, in basis points
	Bakes   []float64    `json:"bakes"` // the bake time of each step, in seconds
	Wait    *bake        `json:"wait"`
	Pauses  []timeSpan   `json:"pauses"`
}

// chartPoint is the share from a moment on, in basis points.
type chartPoint struct {
	At    time.Time `json:"at"`
	Share int       `json:"share"`
}

// chartMark is something that happened during the ramp. Kind is a verdict, a kind of signal,
// "promote", "contract" or "rollback".
type chartMark struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// timeSpan is a part of the ramp. A span without an end still lasts.
type timeSpan struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// bake is the bake of the current step.
type bake struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Stopped string    `json:"stopped"` // "held", "paused" or ""
}

// stoppedBy says why the ramp does not go on by itself: "held", "paused", or "" if it does.
func stoppedBy(r sm.Record) string {
	switch {
	case r.Held != nil && r.Held.By != sm.HeldByOperator:
		return "held"
	case r.Held != nil, r.Wait != nil && r.Wait.Paused != nil:
		return "paused"
	}

	return ""
}

func rampChartOf(r sm.Record, plan sm.RampPlan) rampChart {
	c := rampChart{
		Release: r.Release, Ended: r.Ended, Points: []chartPoint{}, Marks: []chartMark{},
		Plan: []int{}, Bakes: []float64{}, Pauses: []timeSpan{},
	}

	for _, step := range plan.Steps {
		c.Plan = append(c.Plan, int(step.Percent*100))
		c.Bakes = append(c.Bakes, step.Bake.Std().Seconds())
	}

	if r.Began.IsZero() {
		return c
	}

	c.Began = &r.Began
	c.Points = append(c.Points, chartPoint{r.Began, 0})

	promoted, rolledBack := c.addEvents(r)
	c.addSignals(r, promoted, rolledBack)
	c.Pauses = pausesOf(r, c.Marks)

	if r.Wait != nil {
		c.Wait = &bake{r.Wait.Since, r.Wait.Until, stoppedBy(r)}
	}

	return c
}

// addEvents draws the curve and the marks of the steps. It tells whether the release was promoted
// and whether it was rolled back.
func (c *rampChart) addEvents(r sm.Record) (promoted, rolledBack bool) {
	for _, e := range attemptEvents(r) {
		switch {
		case e.State == sm.Rollback && !rolledBack:
			rolledBack = true

			c.mark(e.At, "rollback", e.Text)
		case e.State == sm.Promote && !promoted:
			promoted = true

			c.mark(e.At, "promote", e.Text)
		case e.State == sm.Contract:
			c.mark(e.At, "contract", e.Text)
		case e.Verdict != "":
			c.mark(e.At, string(e.Verdict), e.Text)
		}

		share := 0

		switch {
		case rolledBack:
		case promoted:
			// The roles have swapped and the weight is 0 again, but no viewer has moved.
			share = sm.FullWeight
		case e.Weight != nil:
			share = *e.Weight
		}

		if last := c.Points[len(c.Points)-1]; last.Share != share {
			c.Points = append(c.Points, chartPoint{e.At, share})
		}
	}

	return promoted, rolledBack
}

// addSignals marks the signals of the present attempt, except those that are drawn otherwise: a
// pause is a span, and the marks of the steps already show a promotion and a rollback.
func (c *rampChart) addSignals(r sm.Record, promoted, rolledBack bool) {
	for _, s := range r.Signals {
		switch {
		case s.At.Before(r.Began),
			s.Kind == sm.SignalPause,
			s.Kind == sm.SignalResume,
			s.Kind == sm.SignalPromote && promoted,
			s.Kind == sm.SignalRollback && rolledBack:
			continue
		}

		c.mark(s.At, string(s.Kind), signalText(s))
	}
}

func (c *rampChart) mark(at time.Time, kind, text string) {
	c.Marks = append(c.Marks, chartMark{at, kind, text})
}

// pausesOf pairs the operator's pauses with what ended them: a resume, a promotion, or the end of
// the ramp.
func pausesOf(r sm.Record, marks []chartMark) []timeSpan {
	ended := r.Ended

	for _, m := range marks {
		if (m.Kind == "promote" || m.Kind == "rollback" || m.Kind == "alarm") &&
			(ended == nil || m.At.Before(*ended)) {
			ended = &m.At
		}
	}

	list := []timeSpan{}

	for _, s := range r.Signals {
		if s.At.Before(r.Began) || ended != nil && s.At.After(*ended) {
			continue
		}

		open := len(list) > 0 && list[len(list)-1].To == nil
		switch {
		case s.Kind == sm.SignalPause && !open:
			list = append(list, timeSpan{From: s.At})
		case (s.Kind == sm.SignalResume || s.Kind == sm.SignalPromote) && open:
			list[len(list)-1].To = &s.At
		}
	}

	if n := len(list); n > 0 && list[n-1].To == nil {
		list[n-1].To = ended
	}

	return list
}
