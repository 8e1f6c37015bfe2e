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
	sm "lockstep/statemachine"
)

// alarmSignal receives the state changes of CloudWatch alarms.
type alarmSignal struct {
	ledger   ledger.Ledger
	settings sm.Settings
	ramp     rampControl
}

// alarmChange is the detail of an alarm's event.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
type alarmChange struct {
	AlarmName string `json:"alarmName"`
	State     struct {
		Value      string `json:"value"`
		Reason     string `json:"reason"`
		ReasonData string `json:"reasonData"` // JSON: see alarmReason
	} `json:"state"`
}

func (a alarmSignal) receive(
	ctx context.Context, doc sm.Document, event machine.Event,
) (SignalResult, error) {
	var change alarmChange
	if err := json.Unmarshal(event.Detail, &change); err != nil {
		return SignalResult{}, fmt.Errorf("event %s: detail: %w", event.ID, err)
	}

	name := change.AlarmName

	i := slices.IndexFunc(a.settings.Alarms, func(alarm sm.Alarm) bool { return alarm.Name == name })
	if i < 0 {
		return SignalResult{
			Effect: SignalIgnored, Text: name + " is not an alarm of this application",
		}, nil
	}

	judges := a.settings.Alarms[i].Environment

	rings := change.State.Value == "ALARM"
	if !rings || judges == sm.LiveAlias {
		if err := a.mute(ctx, doc, name, rings, event.Time); err != nil || !rings {
			return SignalResult{
				Effect: SignalRecorded, Text: name + " is " + change.State.Value,
			}, err
		}
	}

	// CloudWatch ends the reason with how many datapoints it needs.
	reason, _, _ := strings.Cut(change.State.Reason, " (minimum ")
	signal := sm.ReceivedSignal{
		ID: event.ID, Kind: sm.SignalAlarm, At: event.Time, Alarm: name,
		Reason: fmt.Sprintf("alarm %s: %s", name, reason),
	}

	record, known, err := recordSignal(ctx, a.ledger, doc, signal, func(r sm.Record) bool {
		return slices.Contains(evidence.Judging(r.Active, r), judges) &&
			!slices.Contains(r.MutedAlarms, name) &&
			!(judges == sm.LiveAlias && overBy(change.State.ReasonData, *r.Promoted))
	})
	if err != nil || !known {
		return SignalResult{
			Effect: SignalIgnored, Text: name + " does not judge this release",
		}, err
	}

	return a.ramp.interrupt(ctx, record, sm.AlarmBreached, signal.Reason)
}

// mute keeps the list of alarms that do not count. An alarm that is over counts from now on: if it
// rings again, that is this release's doing. What events call rings for the release before until
// promotion.
func (a alarmSignal) mute(
	ctx context.Context, doc sm.Document, name string, rings bool, at time.Time,
) error {
	_, err := a.ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if early, err := precedes(*r, doc, at); early || err != nil {
			return err
		}

		switch {
		case !rings:
			r.MutedAlarms = slices.DeleteFunc(r.MutedAlarms, func(n string) bool { return n == name })
		case r.Promoted == nil && !slices.Contains(r.MutedAlarms, name):
			r.MutedAlarms = append(r.MutedAlarms, name)
		}

		return nil
	})

	return err
}

// alarmReason is what CloudWatch says of the datapoints for which an alarm rings.
type alarmReason struct {
	Period              int     `json:"period"` // in seconds
	Threshold           float64 `json:"threshold"`
	EvaluatedDatapoints []struct {
		Timestamp string  `json:"timestamp"`
		Value     float64 `json:"value"`
	} `json:"evaluatedDatapoints"`
}

// overBy tells whether every datapoint for which an alarm rings had ended by a time. An alarm that
// was set by hand has none. Should later datapoints be as bad, CloudWatch sends no second event:
// Drain asks.
func overBy(reasonData string, by time.Time) bool {
	var data alarmReason
	if json.Unmarshal([]byte(reasonData), &data) != nil {
		return false
	}

	before := false

	for _, d := range data.EvaluatedDatapoints {
		if d.Value <= data.Threshold {
			continue
		}

		start, err := time.Parse("2006-01-02T15:04:05.000-0700", d.Timestamp)
		if err != nil || start.Add(time.Duration(data.Period)*time.Second).After(by) {
			return false
		}

		before = true
	}

	return before
}
