package step

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/functions/internal/evidence"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	"lockstep/functions/internal/timer"
	sm "lockstep/statemachine"
)

// Signal notes what arrives from outside, an alarm or an operator's request, in the record of the
// release under way, and answers the ramp's task token if one waits. Noted first, a signal is not
// lost where nobody waits: the next step reads it. An event that comes twice is noted once, and a
// token is good once.
type Signal struct {
	Ledger    ledger.Ledger
	Settings  sm.Settings
	Answers   machine.Answers
	Schedules timer.Schedules
	Freeze    Freeze
}

// Run returns a sentence about what it did, for the log.
func (s *Signal) Run(ctx context.Context, event machine.Event) (string, error) {
	var lock sm.Lock
	if _, err := s.Ledger.Store.Get(ctx, sm.LockKey, &lock); err != nil {
		return "", fmt.Errorf("read the lock: %w", err)
	}

	if event.DetailType == sm.DetailParameter {
		return s.parameter(ctx, lock)
	}

	if lock.Holder == nil {
		return "no release is under way", nil
	}

	if event.Time.IsZero() { // somebody invoked the Lambda by hand
		event.Time = time.Now().UTC()
	}

	doc := sm.Document{Execution: lock.Holder.Execution, Release: lock.Holder.Release,
		Fence: lock.Fence}

	switch event.DetailType {
	case "CloudWatch Alarm State Change":
		return s.alarm(ctx, doc, event)
	case sm.DetailOperator:
		return s.operator(ctx, doc, event)
	}

	return "", fmt.Errorf("event %s: detail-type: found %q, expected an alarm, %q or %q", event.ID,
		event.DetailType, sm.DetailOperator, sm.DetailParameter)
}

func (s *Signal) alarm(ctx context.Context, doc sm.Document, event machine.Event) (string, error) {
	var change struct {
		AlarmName string `json:"alarmName"`
		State     struct {
			Value      string `json:"value"`
			Reason     string `json:"reason"`
			ReasonData string `json:"reasonData"`
		} `json:"state"`
	}
	if err := json.Unmarshal(event.Detail, &change); err != nil {
		return "", fmt.Errorf("event %s: detail: %w", event.ID, err)
	}

	i := slices.IndexFunc(
		s.Settings.Alarms, func(a sm.Alarm) bool { return a.Name == change.AlarmName })
	if i < 0 {
		return change.AlarmName + " is not one of ours", nil
	}

	judges := s.Settings.Alarms[i].Environment
	if rings := change.State.Value == "ALARM"; !rings || judges == sm.LiveAlias {
		_, err := s.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
			if late, err := misses(*r, doc, event.Time); late || err != nil {
				return err
			}

			switch {
			case !rings: // It is over: should it ring again, that is this release's doing.
				r.MutedAlarms = slices.DeleteFunc(r.MutedAlarms,
					func(name string) bool { return name == change.AlarmName })
			case r.Promoted == nil && !slices.Contains(r.MutedAlarms,
				change.AlarmName): // Events still call the release before.
				r.MutedAlarms = append(r.MutedAlarms, change.AlarmName)
			}

			return nil
		})
		if err != nil || !rings {
			return change.AlarmName + " is " + change.State.Value, err
		}
	}

	reason, _, _ := strings.Cut(change.State.Reason, " (minimum ") // how CloudWatch counts is no news
	note := sm.ReceivedSignal{ID: event.ID, Kind: sm.SignalAlarm, At: event.Time,
		Alarm: change.AlarmName, Reason: fmt.Sprintf("alarm %s: %s", change.AlarmName, reason)}

	record, noted, err := s.note(ctx, doc, note, func(r sm.Record) bool {
		return slices.Contains(evidence.Judging(r.Active, r), judges) &&
			!slices.Contains(r.MutedAlarms, change.AlarmName) &&
			!(judges == sm.LiveAlias && over(change.State.ReasonData, *r.Promoted))
	})
	if err != nil || !noted {
		return change.AlarmName + " does not judge this release", err
	}

	return s.interrupt(ctx, record, sm.AlarmBreached, note.Reason)
}

func (s *Signal) operator(ctx context.Context, doc sm.Document, event machine.Event) (string,
	error) {
	var request sm.Operator
	if err := sm.DecodeStrict(event.Detail, &request); err != nil {
		return "", fmt.Errorf("event %s: detail.%w", event.ID, err)
	}

	if request.App != s.Settings.App || request.Release != "" && request.Release != doc.Release {
		return fmt.Sprintf("meant for %s %s, but %s %s is under way", request.App, request.Release,
			s.Settings.App, doc.Release), nil
	}

	reason := "the operator asked for it"
	if request.Reason != "" {
		reason += ": " + request.Reason
	}

	note := sm.ReceivedSignal{ID: event.ID, Kind: request.Action, Reason: reason, At: event.Time}
	switch request.Action {
	case sm.SignalPause, sm.SignalResume, sm.SignalAdvance, sm.SignalPromote, sm.SignalApprove, sm.SignalContract, sm.SignalRollback:
	default:
		return "", fmt.Errorf("event %s: detail.action: found %q, expected pause, resume, advance, "+
			"promote, approve, contract or rollback", event.ID, request.Action)
	}

	record, noted, err := s.note(ctx, doc, note, func(r sm.Record) bool {
		switch note.Kind {
		case sm.SignalApprove: // A word too many must not approve a step that nobody has asked about yet, nor one that comes late the step after.
			return r.HeldBy() == sm.HeldByApproval && !note.At.Before(r.Held.Since.Truncate(time.Second))
		case sm.SignalContract: // There is no way back from it: who said it before the promotion had not seen what is live now.
			return r.Promoted != nil
		}

		return true
	})
	if err != nil || !noted {
		return "too late, or noted before", err
	}

	if outdated(record, note.ID) {
		return "told again, and done with", nil
	}

	switch request.Action {
	case sm.SignalRollback:
		return s.interrupt(ctx, record, sm.OperatorRollback, reason)
	case sm.SignalPause:
		return s.pause(ctx, doc, record)
	case sm.SignalResume:
		return s.resume(ctx, doc, record)
	case sm.SignalApprove:
		return s.approve(ctx, record)
	case sm.SignalContract:
		return "noted: it contracts once the old environment is left", nil
	}

	return s.goOn(ctx, record)
}

// parameter wakes whoever waits for the end of a freeze. What the event says may be old: the
// parameter counts.
func (s *Signal) parameter(ctx context.Context, lock sm.Lock) (string, error) {
	reason, err := s.Freeze.Reason(ctx)
	if err != nil || reason != "" {
		return "frozen: " + reason, err
	}

	if lock.Holder == nil {
		return "unfrozen: whoever waits may begin", s.Ledger.NotifyQueue(ctx, s.Answers, true)
	}

	record, err := s.Ledger.Record(ctx, lock.Holder.Release)
	if err != nil || record.Wait == nil || record.HeldBy() != sm.HeldByFreeze {
		return "unfrozen: " + lock.Holder.Release + " did not wait for it", err
	}

	return s.release(ctx, record)
}

// note keeps a signal that concerns the release and still can change it.
func (s *Signal) note(ctx context.Context, doc sm.Document, note sm.ReceivedSignal,
	concerns func(sm.Record) bool) (record sm.Record, noted bool, err error) {
	record, err = s.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		late, err := misses(*r, doc, note.At)
		if err != nil {
			return err
		}

		seen := slices.ContainsFunc(r.Signals, func(n sm.ReceivedSignal) bool { return n.ID == note.ID })

		noted = seen
		if r.Ended == nil && !r.Contracted && !late && !seen && concerns(*r) {
			if r.Wait != nil {
				note.Bake = r.Wait.Schedule
			}

			if note.Kind == sm.SignalApprove {
				note.Step = r.Held.Step
			}

			r.Signals, noted = append(r.Signals, note), true
			// Events come out of order, and the last word is the one that was spoken last.
			slices.SortStableFunc(r.Signals, func(x, y sm.ReceivedSignal) int { return x.At.Compare(y.At) })
		}

		return nil
	})
	if err != nil {
		return record, noted, fmt.Errorf("note %s of %s: %w", note.Kind, doc.Release, err)
	}

	return record, noted, nil
}

// misses tells whether an event is from before the release, and delivered late: EventBridge takes
// up to a day, and writes times to the second. Where the record is not open yet the event must be
// delivered again.
func misses(r sm.Record, doc sm.Document, at time.Time) (bool, error) {
	if r.Execution != doc.Execution {
		return false, sm.Errorf(sm.StaleWrite, "release %s: its record is not open yet for %s: deliver "+
			"the event again", doc.Release, doc.Execution)
	}

	return at.Before(r.Began.Truncate(time.Second)), nil
}

// over tells whether every datapoint for which an alarm rings had ended by then. What somebody set
// by hand has none. Should later ones be as bad, CloudWatch has no second event to tell: Drain
// asks for them.
func over(reasonData string, by time.Time) bool {
	var data struct {
		Period              int     `json:"period"`
		Threshold           float64 `json:"threshold"`
		EvaluatedDatapoints []struct {
			Timestamp string  `json:"timestamp"`
			Value     float64 `json:"value"`
		} `json:"evaluatedDatapoints"`
	}
	if json.Unmarshal([]byte(reasonData), &data) != nil {
		return false
	}

	before := false

	for _, d := range data.EvaluatedDatapoints {
		start, err := time.Parse("2006-01-02T15:04:05.000-0700", d.Timestamp)
		switch {
		case d.Value <= data.Threshold:
		case err != nil || start.Add(time.Duration(data.Period)*time.Second).After(by):
			return false
		default:
			before = true
		}
	}

	return before
}

// outdated tells whether a word that comes again has nothing left to do: it was about a bake that
// is over, or another word came after it. A word to roll back never is.
func outdated(r sm.Record, id string) bool {
	i := slices.IndexFunc(r.Signals, func(n sm.ReceivedSignal) bool { return n.ID == id })
	switch note := r.Signals[i]; note.Kind {
	case sm.SignalAdvance, sm.SignalPromote:
		return r.Wait != nil && r.Wait.Schedule != note.Bake
	case sm.SignalPause, sm.SignalResume:
		last, _ := r.LastSignal(sm.SignalPause, sm.SignalResume)
		return last.ID != id
	}

	return false
}

// interrupt fails the waiting ramp; where none waits the next step reads the note.
func (s *Signal) interrupt(ctx context.Context, r sm.Record, name, cause string) (string, error) {
	if r.Wait == nil {
		return "noted: " + cause, nil
	}

	delivered, err := s.Answers.Fail(ctx, r.Wait.TaskToken, name, cause)
	if err != nil {
		return "", fmt.Errorf("stop the ramp of %s: %w", r.Release, err)
	}

	if !delivered {
		return "noted, the bake was over already: " + cause, nil
	}

	return "the ramp stops: " + cause, nil
}

// goOn ends the bake; Ramp and CheckAlarms read from the notes how far.
func (s *Signal) goOn(ctx context.Context, r sm.Record) (string, error) {
	if r.Wait == nil {
		return "noted: no bake to end just now", nil
	}

	doc := r.Wait.Document

	doc.Waived = true
	if _, err := s.Answers.Succeed(ctx, r.Wait.TaskToken, doc); err != nil {
		return "", fmt.Errorf("end the bake of %s: %w", r.Release, err)
	}

	return "the bake is over", s.Schedules.Cancel(ctx, r.Wait.Schedule)
}

// approve lets Ramp look again, unless it is paused too.
func (s *Signal) approve(ctx context.Context, r sm.Record) (string, error) {
	if r.HeldBy() != sm.HeldByApproval {
		return "noted: approved", nil
	}

	return s.release(ctx, r)
}

// release ends a hold: Ramp looks again whether it may grow.
func (s *Signal) release(ctx context.Context, r sm.Record) (string, error) {
	if _, err := s.Answers.Succeed(ctx, r.Wait.TaskToken, r.Wait.Document); err != nil {
		return "", fmt.Errorf("end the hold of %s: %w", r.Release, err)
	}

	return "the ramp looks again", s.Schedules.Cancel(ctx, r.Wait.Schedule)
}

func (s *Signal) pause(ctx context.Context, doc sm.Document, r sm.Record) (string, error) {
	if r.Wait == nil {
		return "noted: the next bake is paused", nil
	}

	if r.Wait.Paused == nil {
		if _, err := s.Ledger.Append(ctx, doc, sm.Event{State: sm.Ramp, Kind: sm.EventPaused,
			Text: "paused at " + release.Percent(r.Weight)}, func(r *sm.Record) {
			if now := time.Now().UTC(); r.Wait != nil && r.Wait.Paused == nil && r.Paused() {
				r.Wait.Paused, r.Held = &now, ledger.HeldByOperator(*r, now)
			}
		}); err != nil {
			return "", err
		}
	}

	return "paused", timer.Start(ctx, s.Ledger, s.Schedules, r.Release)
}

// resume gives the bake the time that was left when it was paused.
func (s *Signal) resume(ctx context.Context, doc sm.Document, r sm.Record) (string, error) {
	if r.Wait == nil {
		return "noted: no bake is paused", nil
	}

	if r.Wait.Document.Held {
		return s.release(ctx, r)
	}

	if r.Wait.Paused != nil {
		if _, err := s.Ledger.Append(ctx, doc, sm.Event{State: sm.Ramp, Kind: sm.EventResumed,
			Text: "resumed"}, func(r *sm.Record) {
			if r.Wait == nil || r.Wait.Paused == nil || r.Paused() {
				return
			}

			left := r.Wait.Until.Sub(*r.Wait.Paused)
			r.Wait.Until, r.Wait.Paused, r.Held = time.Now().UTC().Add(left), nil, nil
		}); err != nil {
			return "", err
		}
	}

	return "resumed", timer.Start(ctx, s.Ledger, s.Schedules, r.Release)
}
