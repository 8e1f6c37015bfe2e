package main

import (
	"time"

	"lockstep/statemachine"
)

// statusCommand is lockstep status.
type statusCommand struct {
	ID    string `arg:"" optional:"" name:"release" help:"A release, other than the latest."`
	Watch bool   `help:"Follow the release until interrupted." short:"w"`
	JSON  bool   `help:"Print JSON; with --watch, a line for each change." name:"json"`
}

// status is the state of an application, or of one of its releases, at one moment. Weights are in
// basis points.
type status struct {
	App      string            `json:"app"`
	Release  string            `json:"release,omitempty"`
	Sequence int64             `json:"sequence,omitempty"`
	UnderWay bool              `json:"underWay"`
	Waits    bool              `json:"waits"`    // in the queue
	Promoted bool              `json:"promoted"` // the roles are swapped
	State    statemachine.Task `json:"state,omitempty"`
	Began    *time.Time        `json:"began,omitempty"`
	Ended    *time.Time        `json:"ended,omitempty"`

	Outcome   statemachine.Outcome `json:"outcome,omitempty"`
	Cause     string               `json:"cause,omitempty"`
	Weight    int                  `json:"weight"`
	Ramp      []rampStep           `json:"ramp"`
	BakeUntil *time.Time           `json:"bakeUntil,omitempty"`
	Paused    bool                 `json:"paused"`
	Held      *statemachine.Held   `json:"held,omitempty"`
	Hotfix    string               `json:"hotfix,omitempty"`
	Frozen    string               `json:"frozen,omitempty"`
	Verdict   string               `json:"verdict,omitempty"`
	Preview   bool                 `json:"preview"` // open to testers

	Queue        []queueEntry                                   `json:"queue"`
	Environments map[statemachine.Environment]environmentStatus `json:"environments"`
	Events       []statemachine.Event                           `json:"events"`
}

type rampStep struct {
	Percent float64               `json:"percent"`
	Weight  int                   `json:"weight"`
	Bake    statemachine.Duration `json:"bake"`
}

// queueEntry is one of the queue without its task token, which would let a reader answer for it.
type queueEntry struct {
	Release  string    `json:"release"`
	Sequence int64     `json:"sequence"`
	Since    time.Time `json:"since"`
}

type environmentStatus struct {
	Role    string `json:"role"`
	Release string `json:"release,omitempty"`
	InSync  bool   `json:"inSync"` // false also while a step changes it
}

// Run shows the status once, or again and again.
func (c *statusCommand) Run(s *session) error {
	if err := s.connect(); err != nil {
		return err
	}

	out := newPrinter(s, c)
	defer out.close()

	for {
		st, err := s.readStatus(c.ID)
		if c.Watch && s.ctx.Err() != nil {
			return nil // interrupted, which is how a watch ends
		}

		if err != nil {
			return err
		}

		if err := out.print(st); err != nil {
			return err
		}

		if !c.Watch {
			return nil
		}

		_ = s.sleep(pollInterval)
	}
}
