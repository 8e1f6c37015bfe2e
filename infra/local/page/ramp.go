package page

import (
	"time"

	sm "lockstep/statemachine"
)

// ramp is the share of the viewers that a release has had, over time.
type ramp struct {
	Release string     `json:"release"`
	Began   *time.Time `json:"began"`
	Ended   *time.Time `json:"ended"`
	Points  []point    `json:"points"`
	Marks   []mark     `json:"marks"`
	Plan    []int      `json:"plan"`  // the weights of the steps
	Bakes   []float64  `json:"bakes"` // how long each is watched, in seconds
	Wait    *bake      `json:"wait"`
	Pauses  []span     `json:"pauses"`
}

// point is the share from a moment on, in basis points.
type point struct {
	At    time.Time `json:"at"`
	Share int       `json:"share"`
}

// mark is something that happened on the way: a verdict, a signal, promote, contract, rollback.
type mark struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// span is a time on the ramp; one without an end lasts.
type span struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// bake is the pause that a step of the ramp is watched for.
type bake struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Stopped string    `json:"stopped"` // held or paused
}

// stopped is the word for what keeps the ramp from going on by itself.
func stopped(r sm.Record) string {
	switch {
	case r.Held != nil && r.Held.By != sm.HeldByOperator:
		return "held"
	case r.Held != nil, r.Wait != nil && r.Wait.Paused != nil:
		return "paused"
	}

	return ""
}

func rampOf(r sm.Record, plan sm.RampPlan) ramp {
	v := ramp{Release: r.Release, Ended: r.Ended, Points: []point{}, Marks: []mark{}, Plan: []int{},
		Bakes: []float64{}, Pauses: []span{}}
	for _, step := range plan.Steps {
		v.Plan = append(v.Plan, int(step.Percent*100))
		v.Bakes = append(v.Bakes, step.Bake.Std().Seconds())
	}

	if r.Began.IsZero() {
		return v
	}

	v.Began = &r.Began
	v.Points = append(v.Points, point{r.Began, 0})
	promoted, back := false, false

	for _, e := range attempt(r) {
		share := 0
		if e.Weight != nil {
			share = *e.Weight
		}

		switch {
		case e.State == sm.Rollback && !back:
			back = true

			v.Marks = append(v.Marks, mark{e.At, "rollback", e.Text})
		case e.State == sm.Promote && !promoted:
			promoted = true

			v.Marks = append(v.Marks, mark{e.At, "promote", e.Text})
		case e.State == sm.Contract:
			v.Marks = append(v.Marks, mark{e.At, "contract", e.Text})
		case e.Verdict != "":
			v.Marks = append(v.Marks, mark{e.At, string(e.Verdict), e.Text})
		}

		if back {
			share = 0
		} else if promoted {
			// The roles have swapped and the weight is 0 again, which leaves everyone where they are.
			share = sm.FullWeight
		}

		if last := v.Points[len(v.Points)-1]; last.Share != share {
			v.Points = append(v.Points, point{e.At, share})
		}
	}

	for _, s := range r.Signals {
		if s.At.Before(r.Began) {
			continue
		}

		switch s.Kind {
		case sm.SignalPause, sm.SignalResume:
			continue // drawn as spans
		case sm.SignalPromote:
			if promoted {
				continue // the step says it
			}
		case sm.SignalRollback:
			if back {
				continue
			}
		}

		v.Marks = append(v.Marks, mark{s.At, string(s.Kind), said(s)})
	}

	v.Pauses = pausesOf(r, v.Marks)
	if r.Wait != nil {
		v.Wait = &bake{r.Wait.Since, r.Wait.Until, stopped(r)}
	}

	return v
}

// pausesOf pairs the operator's pauses with what ended them: a resume, a promotion, or the end of
// the ramp.
func pausesOf(r sm.Record, marks []mark) []span {
	ended := r.Ended
	for _, m := range marks {
		if (m.Kind == "promote" || m.Kind == "rollback" || m.Kind == "alarm") &&
			(ended == nil || m.At.Before(*ended)) {
			ended = &m.At
		}
	}

	list := []span{}

	for _, s := range r.Signals {
		if s.At.Before(r.Began) || ended != nil && s.At.After(*ended) {
			continue
		}

		open := len(list) > 0 && list[len(list)-1].To == nil
		switch {
		case s.Kind == sm.SignalPause && !open:
			list = append(list, span{From: s.At})
		case (s.Kind == sm.SignalResume || s.Kind == sm.SignalPromote) && open:
			list[len(list)-1].To = &s.At
		}
	}

	if n := len(list); n > 0 && list[n-1].To == nil {
		list[n-1].To = ended
	}

	return list
}
