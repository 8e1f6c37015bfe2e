package metrics

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud/wire"
)

// Alarms lists all alarms, sorted by name.
func (s *Service) Alarms() []types.MetricAlarm {
	s.mu.Lock()
	defer s.mu.Unlock()

	var all []types.MetricAlarm
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		all = append(all, s.alarms[name].MetricAlarm)
	}

	return all
}

func (s *Service) putMetricAlarm(
	in *cloudwatch.PutMetricAlarmInput,
) (*cloudwatch.PutMetricAlarmOutput, error) {
	return &cloudwatch.PutMetricAlarmOutput{}, s.PutAlarm(in)
}

const (
	defaultPage = 50
	maxPage     = 100
)

func (s *Service) describeAlarms(
	in *cloudwatch.DescribeAlarmsInput,
) (*cloudwatch.DescribeAlarmsOutput, error) {
	size := int(cmp.Or(deref(in.MaxRecords), defaultPage))
	switch {
	case size < 1 || size > maxPage:
		return nil, invalid("MaxRecords is %d, expected 1 to %d.", size, maxPage)
	case len(in.AlarmNames) > 100:
		return nil, invalid("AlarmNames has %d names, expected at most 100.", len(in.AlarmNames))
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil:
		return nil, invalid("AlarmNames and AlarmNamePrefix exclude each other.")
	}

	out := &cloudwatch.DescribeAlarmsOutput{
		MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{},
	}

	for _, a := range s.Alarms() {
		name := *a.AlarmName
		if name <= deref(in.NextToken) || !strings.HasPrefix(name, deref(in.AlarmNamePrefix)) ||
			len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name) ||
			in.StateValue != "" && in.StateValue != a.StateValue ||
			len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, types.AlarmTypeMetricAlarm) {
			continue
		}

		if len(out.MetricAlarms) == size {
			out.NextToken = out.MetricAlarms[size-1].AlarmName
			break
		}

		out.MetricAlarms = append(out.MetricAlarms, a)
	}

	return out, nil
}

// setAlarmState sets a state that lasts until the next evaluation.
func (s *Service) setAlarmState(
	in *cloudwatch.SetAlarmStateInput,
) (*cloudwatch.SetAlarmStateOutput, error) {
	name, data := deref(in.AlarmName), deref(in.StateReasonData)
	switch {
	case !slices.Contains(in.StateValue.Values(), in.StateValue):
		return nil, invalid("StateValue is %q, expected one of %v.",
			in.StateValue, in.StateValue.Values())
	case in.StateReason == nil || len(*in.StateReason) > 1023:
		return nil, invalid("StateReason is required and has at most 1023 characters.")
	case data != "" && !json.Valid([]byte(data)):
		return nil, refuse("InvalidFormat", "StateReasonData is not JSON.")
	}

	s.mu.Lock()

	a := s.alarms[name]
	if a == nil {
		s.mu.Unlock()
		return nil, unknownAlarm(name)
	}

	changed := a.change(in.StateValue, *in.StateReason, data, time.Now())
	s.wake(a)
	s.mu.Unlock()
	s.announce(changed)

	return &cloudwatch.SetAlarmStateOutput{}, nil
}

func unknownAlarm(name string) error {
	return &wire.Error{
		Status: http.StatusNotFound, Code: "ResourceNotFound",
		Message: "Unknown alarm " + name + ".",
	}
}

// deleteAlarms deletes all named alarms, or none if one is unknown.
func (s *Service) deleteAlarms(
	in *cloudwatch.DeleteAlarmsInput,
) (*cloudwatch.DeleteAlarmsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, name := range in.AlarmNames {
		if s.alarms[name] == nil {
			return nil, unknownAlarm(name)
		}
	}

	for _, name := range in.AlarmNames {
		if a := s.alarms[name]; a != nil {
			a.timer.Stop()
			delete(s.alarms, name)
		}
	}

	return &cloudwatch.DeleteAlarmsOutput{}, nil
}
