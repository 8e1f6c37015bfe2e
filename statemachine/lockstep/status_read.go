package main

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/statemachine"
)

// readStatus reads the status of a release; of the one under way, or else the last one, if its id
// is empty.
func (s *session) readStatus(release string) (status, error) {
	st := status{App: s.settings.App, Queue: []queueEntry{}, Events: []statemachine.Event{},
		Environments: map[statemachine.Environment]environmentStatus{}}
	for _, step := range s.settings.Ramp.Steps {
		st.Ramp = append(st.Ramp, rampStep{step.Percent, int(math.Round(step.Percent * 100)), step.Bake})
	}

	lock, err := s.lock()
	if err != nil {
		return st, err
	}

	for _, e := range lock.Queue {
		st.Queue = append(st.Queue, queueEntry{e.Release, e.Sequence, e.Since})
	}

	if err := s.readEnvironments(&st); err != nil {
		return st, err
	}

	if st.Frozen, err = s.freezeReason(); err != nil {
		return st, err
	}

	err = s.readRelease(&st, lock, release)

	return st, err
}

// readRelease adds the release and what its record says. Without any release so far it adds none.
func (s *session) readRelease(st *status, lock statemachine.Lock, id string) (err error) {
	st.Release = id
	if id == "" && lock.Holder != nil {
		st.Release = lock.Holder.Release
	}

	if st.Release == "" {
		if st.Release, err = s.lastRelease(); err != nil || st.Release == "" {
			return err
		}
	}

	record, err := s.record(st.Release)
	if err != nil {
		return err
	}

	st.UnderWay = lock.Holder != nil && lock.Holder.Release == st.Release

	st.Waits = slices.ContainsFunc(
		st.Queue, func(e queueEntry) bool { return e.Release == st.Release })
	if id != "" && record.Release == "" && !st.Waits && !st.UnderWay {
		return invalid("release: found %q, which the state bucket %s has no record of", id,
			s.arguments.StateBucket)
	}

	st.add(record)

	return nil
}

func (st *status) add(r statemachine.Record) {
	st.Sequence, st.State, st.Weight, st.Hotfix = r.Sequence, r.State, r.Weight, r.Hotfix
	st.Outcome, st.Cause, st.Held, st.Ended = r.Outcome, r.Cause.String(), r.Held, r.Ended
	st.Preview, st.Promoted = r.Preview != "", r.Promoted != nil

	if !r.Began.IsZero() {
		st.Began = &r.Began
	}

	if r.Wait != nil {
		st.BakeUntil, st.Paused = &r.Wait.Until, r.Wait.Paused != nil
	}

	st.Events = append(st.Events, r.Events...)
	for _, e := range r.Events { // those of an earlier run say nothing about this one
		if e.Kind == statemachine.EventVerdict && !e.At.Before(r.Began) {
			st.Verdict = e.Text
		}
	}
}

// readEnvironments adds the two environments: their roles, and what they carry.
func (s *session) readEnvironments(st *status) error {
	name := statemachine.ControlParameter(s.settings.App)

	out, err := ssm.NewFromConfig(s.config).GetParameter(s.ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return failed(err, "read parameter %s", name)
	}

	var control statemachine.Control
	if err := statemachine.DecodeStrict([]byte(aws.ToString(out.Parameter.Value)),
		&control); err != nil {
		return invalid("cannot parse parameter %s: %w; run lockstep repair", name, err)
	}

	for env, role := range map[statemachine.Environment]string{
		control.Active: "active", control.Fallback: "fallback"} {
		var state statemachine.EnvironmentState
		if _, err := s.readJSON(statemachine.EnvironmentKey(env), &state); err != nil {
			return err
		}

		st.Environments[env] = environmentStatus{role, state.Release, state.InSync}
	}

	return nil
}

// lastRelease is the one whose record was written last, "" before the first.
func (s *session) lastRelease() (release string, err error) {
	var newest time.Time

	prefix := statemachine.RecordsPrefix

	pages := s3.NewListObjectsV2Paginator(s.s3(),
		&s3.ListObjectsV2Input{Bucket: &s.arguments.StateBucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.ctx)
		if err != nil {
			return "", failed(err, "list s3://%s/%s", s.arguments.StateBucket, prefix)
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
