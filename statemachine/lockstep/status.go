package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/statemachine"
)

// statusCommand is lockstep status.
type statusCommand struct {
	ID    string `arg:"" optional:"" name:"release" help:"A release; the one under way otherwise, or the last one."`
	Watch bool   `help:"Follow what happens until interrupted." short:"w"`
	JSON  bool   `help:"Print JSON, a line each time where watched." name:"json"`
}

// status is what the command knows of an application at one moment.
type status struct {
	App      string `json:"app"`
	Release  string `json:"release,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
	UnderWay bool   `json:"underWay"`
	Waits    bool   `json:"waits"` // in the queue
	// everyone has it, and the roles are swapped
	Promoted     bool                                         `json:"promoted"`
	State        statemachine.Task                            `json:"state,omitempty"`
	Began        *time.Time                                   `json:"began,omitempty"`
	Ended        *time.Time                                   `json:"ended,omitempty"`
	Outcome      statemachine.Outcome                         `json:"outcome,omitempty"`
	Cause        string                                       `json:"cause,omitempty"`
	Weight       int                                          `json:"weight"`
	Ramp         []rampStep                                   `json:"ramp"`
	BakeUntil    *time.Time                                   `json:"bakeUntil,omitempty"`
	Paused       bool                                         `json:"paused"`
	Held         *statemachine.Held                           `json:"held,omitempty"`
	Hotfix       string                                       `json:"hotfix,omitempty"`
	Frozen       string                                       `json:"frozen,omitempty"`
	Verdict      string                                       `json:"verdict,omitempty"`
	Preview      bool                                         `json:"preview"` // open to testers
	Queue        []waiting                                    `json:"queue"`
	Environments map[statemachine.Environment]environmentView `json:"environments"`
	Story        []statemachine.Event                         `json:"story"`
}

type rampStep struct {
	Percent float64               `json:"percent"`
	Weight  int                   `json:"weight"` // in basis points, as the route has it
	Bake    statemachine.Duration `json:"bake"`
}

type waiting struct {
	Release  string    `json:"release"`
	Sequence int64     `json:"sequence"`
	Since    time.Time `json:"since"`
}

type environmentView struct {
	Role    string `json:"role"`
	Release string `json:"release,omitempty"`
	Settled bool   `json:"settled"`
}

// Run shows the status once, or again and again.
func (c *statusCommand) Run(s *session) error {
	if err := s.connect(); err != nil {
		return err
	}

	show := printer(s, c)
	defer show.close()

	for {
		st, err := s.look(c.ID)
		if c.Watch && s.ctx.Err() != nil {
			return nil // interrupted, which is how a watch ends
		}

		if err != nil {
			return err
		}

		if err := show.status(st); err != nil {
			return err
		}

		if !c.Watch {
			return nil
		}

		_ = s.pause(interval)
	}
}

func printer(s *session, c *statusCommand) view {
	terminal := isTerminal(s.stdout)
	switch {
	case c.JSON:
		return &jsonView{out: json.NewEncoder(s.stdout)}
	case c.Watch && terminal:
		return newScreen(s.stdout)
	case c.Watch:
		return &lines{out: s.stdout}
	}

	return &once{out: s.stdout, paint: paint(terminal && os.Getenv("NO_COLOR") == "")}
}

// look gathers the status of a release, or of the one under way, or of the last one.
func (s *session) look(release string) (status, error) {
	st := status{App: s.settings.App, Environments: map[statemachine.Environment]environmentView{},
		Queue: []waiting{}, Story: []statemachine.Event{}}
	for _, step := range s.settings.Ramp.Steps {
		st.Ramp = append(st.Ramp, rampStep{step.Percent, int(math.Round(step.Percent * 100)), step.Bake})
	}

	var lock statemachine.Lock
	if _, err := s.readJSON(statemachine.LockKey, &lock); err != nil {
		return st, err
	}

	for _, p := range lock.Queue {
		st.Queue = append(st.Queue, waiting{p.Release, p.Sequence, p.Since})
	}

	if err := s.environments(&st); err != nil {
		return st, err
	}

	var err error
	if st.Frozen, err = s.frozen(); err != nil {
		return st, err
	}

	st.Release = release
	if release == "" && lock.Holder != nil {
		st.Release = lock.Holder.Release
	}

	if st.Release == "" {
		if st.Release, err = s.last(); err != nil || st.Release == "" {
			return st, err
		}
	}

	record, err := s.record(st.Release)
	if err != nil {
		return st, err
	}

	st.Waits = slices.ContainsFunc(st.Queue, func(w waiting) bool { return w.Release == st.Release })
	if record.Release == "" && release != "" && !st.Waits &&
		(lock.Holder == nil || lock.Holder.Release != release) {
		return st, invalid("release: found %q, which nobody has heard of in the state bucket %s", release,
			s.arguments.StateBucket)
	}

	st.UnderWay = lock.Holder != nil && lock.Holder.Release == st.Release
	st.add(record)

	return st, nil
}

func (st *status) add(r statemachine.Record) {
	st.Sequence, st.State, st.Outcome, st.Cause, st.Weight = r.Sequence, r.State, r.Outcome, r.Cause.String(), r.Weight

	st.Ended, st.Preview, st.Held, st.Hotfix, st.Promoted = r.Ended, r.Preview != "", r.Held, r.Hotfix, r.Promoted != nil
	if !r.Began.IsZero() {
		st.Began = &r.Began
	}

	if r.Wait != nil {
		st.BakeUntil, st.Paused = &r.Wait.Until, r.Wait.Paused != nil
	}

	st.Story = append(st.Story, r.Events...)
	for _, e := range r.Events {
		if e.Kind == statemachine.EventVerdict && !e.At.Before(r.Began) {
			st.Verdict = e.Text
		}
	}
}

func (s *session) environments(st *status) error {
	name := statemachine.ControlParameter(s.settings.App)

	out, err := ssm.NewFromConfig(s.config).GetParameter(s.ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return fmt.Errorf("read parameter %s: %w", name, err)
	}

	var control statemachine.Control
	if err := statemachine.DecodeStrict([]byte(aws.ToString(out.Parameter.Value)),
		&control); err != nil {
		return invalid("parameter %s: %w", name, err)
	}

	for env, role := range map[statemachine.Environment]string{control.Active: "active",
		control.Fallback: "fallback"} {
		var carries statemachine.EnvironmentState
		if _, err := s.readJSON(statemachine.EnvironmentKey(env), &carries); err != nil {
			return err
		}

		st.Environments[env] = environmentView{role, carries.Release, carries.InSync}
	}

	return nil
}

// last is the release whose record was written last; "" where there is none yet.
func (s *session) last() (release string, err error) {
	var newest time.Time

	prefix := statemachine.RecordsPrefix

	pages := s3.NewListObjectsV2Paginator(s.s3(),
		&s3.ListObjectsV2Input{Bucket: &s.arguments.StateBucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.ctx)
		if err != nil {
			return "", fmt.Errorf("list s3://%s/%s: %w", s.arguments.StateBucket, prefix, err)
		}

		for _, object := range page.Contents {
			id := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(object.Key), prefix), ".json")
			if at := aws.ToTime(object.LastModified); id != statemachine.RepairRelease &&
				!at.Before(newest) {
				newest, release = at, id
			}
		}
	}

	return release, nil
}
