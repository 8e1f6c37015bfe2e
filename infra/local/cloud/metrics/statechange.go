package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// stateChange is the detail of the event that CloudWatch puts on the default bus.
type stateChange struct {
	AlarmName     string             `json:"alarmName"`
	State         alarmState         `json:"state"`
	PreviousState alarmState         `json:"previousState"`
	Configuration alarmConfiguration `json:"configuration"`

	arn string
}

type alarmState struct {
	Value      types.StateValue `json:"value"`
	Reason     string           `json:"reason"`
	ReasonData string           `json:"reasonData,omitempty"`
	Timestamp  string           `json:"timestamp"`
}

type alarmConfiguration struct {
	Description string        `json:"description,omitempty"`
	Metrics     []eventMetric `json:"metrics"`
}

type eventMetric struct {
	ID         string     `json:"id"`
	Expression string     `json:"expression,omitempty"`
	Label      string     `json:"label,omitempty"`
	MetricStat *eventStat `json:"metricStat,omitempty"`
	ReturnData bool       `json:"returnData"`
}

type eventStat struct {
	Metric struct {
		Dimensions map[string]string `json:"dimensions"`
		Name       string            `json:"name"`
		Namespace  string            `json:"namespace"`
	} `json:"metric"`
	Period int32  `json:"period"`
	Stat   string `json:"stat"`
}

func (a *alarm) state() alarmState {
	return alarmState{
		a.StateValue, deref(a.StateReason), deref(a.StateReasonData),
		stamp(deref(a.StateUpdatedTimestamp)),
	}
}

// change sets the state of the alarm. It returns nil if the alarm is in that state already.
func (a *alarm) change(to types.StateValue, reason, reasonData string, now time.Time) *stateChange {
	if a.StateValue == to {
		return nil
	}

	previous := a.state()
	now = now.UTC()

	a.StateValue, a.StateReason, a.StateReasonData = to, &reason, nil
	if reasonData != "" {
		a.StateReasonData = &reasonData
	}

	a.StateUpdatedTimestamp, a.StateTransitionedTimestamp = &now, &now

	return &stateChange{
		AlarmName: *a.AlarmName, State: a.state(), PreviousState: previous, arn: *a.AlarmArn,
		Configuration: alarmConfiguration{
			Description: deref(a.AlarmDescription), Metrics: a.eventMetrics(),
		},
	}
}

func (a *alarm) eventMetrics() []eventMetric {
	var list []eventMetric

	for _, id := range slices.Sorted(maps.Keys(a.queries)) {
		q := a.queries[id]

		one := eventMetric{
			ID: id, Expression: deref(q.Expression), Label: deref(q.Label), ReturnData: id == a.watched,
		}

		if stat := q.MetricStat; stat != nil {
			one.MetricStat = &eventStat{Period: *stat.Period, Stat: *stat.Stat}
			one.MetricStat.Metric.Dimensions = dimensionMap(stat.Metric.Dimensions)
			one.MetricStat.Metric.Name = *stat.Metric.MetricName
			one.MetricStat.Metric.Namespace = *stat.Metric.Namespace
		}

		list = append(list, one)
	}

	return list
}

// announce emits the event. It must be called without the lock, since listeners may call back.
func (s *Service) announce(changed *stateChange) {
	if changed != nil {
		s.emit("aws.cloudwatch", "CloudWatch Alarm State Change", []string{changed.arn}, changed)
	}
}
