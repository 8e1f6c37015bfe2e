package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// alarm is an alarm with its compiled queries.
type alarm struct {
	types.MetricAlarm
	queries querySet
	watched string      // the id of the query that is compared with the threshold
	period  int64       // in seconds
	timer   *time.Timer // of the next evaluation
	sleeps  bool        // it is not evaluated until there is data
}

// PutAlarm makes an alarm, or replaces the one of that name and keeps its state. It refuses what
// CloudWatch refuses.
func (s *Service) PutAlarm(in *cloudwatch.PutMetricAlarmInput) error {
	a, err := newAlarm(in)
	if err != nil {
		return err
	}

	now := time.Now().UTC()
	a.AlarmArn = new(wire.ARN("cloudwatch", "alarm:"+*in.AlarmName))
	a.AlarmConfigurationUpdatedTimestamp = &now

	s.mu.Lock()
	defer s.mu.Unlock()

	if old := s.alarms[*in.AlarmName]; old != nil {
		old.timer.Stop()

		a.StateValue = old.StateValue
		a.StateReason, a.StateReasonData = old.StateReason, old.StateReasonData
		a.StateUpdatedTimestamp = old.StateUpdatedTimestamp
		a.StateTransitionedTimestamp = old.StateTransitionedTimestamp
	} else {
		a.StateValue = types.StateValueInsufficientData
		a.StateReason = new("Unchecked: Initial alarm creation")
		a.StateUpdatedTimestamp, a.StateTransitionedTimestamp = &now, &now
	}

	s.alarms[*in.AlarmName] = a
	if !s.closed {
		s.schedule(a)
	}

	return nil
}

func newAlarm(in *cloudwatch.PutMetricAlarmInput) (*alarm, error) {
	if err := checkAlarm(in); err != nil {
		return nil, err
	}

	return compileAlarm(types.MetricAlarm{
		ActionsEnabled:          in.ActionsEnabled,
		AlarmActions:            in.AlarmActions,
		AlarmDescription:        in.AlarmDescription,
		AlarmName:               in.AlarmName,
		ComparisonOperator:      in.ComparisonOperator,
		DatapointsToAlarm:       in.DatapointsToAlarm,
		Dimensions:              in.Dimensions,
		EvaluationPeriods:       in.EvaluationPeriods,
		ExtendedStatistic:       in.ExtendedStatistic,
		InsufficientDataActions: in.InsufficientDataActions,
		MetricName:              in.MetricName,
		Metrics:                 in.Metrics,
		Namespace:               in.Namespace,
		OKActions:               in.OKActions,
		Period:                  in.Period,
		Statistic:               in.Statistic,
		Threshold:               in.Threshold,
		TreatMissingData:        in.TreatMissingData,
		Unit:                    in.Unit,
	})
}

// compileAlarm compiles the queries of an alarm and checks its periods.
func compileAlarm(described types.MetricAlarm) (*alarm, error) {
	a := &alarm{MetricAlarm: described}
	if a.ActionsEnabled == nil {
		a.ActionsEnabled = new(true)
	}

	list := a.Metrics
	if len(list) == 0 {
		list = []types.MetricDataQuery{a.singleQuery()}
	}

	set, err := newQuerySet(list)
	if err != nil {
		return nil, err
	}

	a.queries = set

	for _, one := range list {
		if one.ReturnData == nil || *one.ReturnData {
			if a.watched != "" {
				return nil, invalid("Exactly one element of the metrics list should return data.")
			}

			a.watched = *one.Id
		}
	}

	if a.watched == "" {
		return nil, invalid("Exactly one element of the metrics list should return data.")
	}

	a.period = set[a.watched].period

	total := a.period * int64(*a.EvaluationPeriods)
	if !slices.Contains([]int64{10, 20, 30}, a.period) && a.period%60 != 0 {
		return nil, invalid("Period must be 10, 20, 30 or a multiple of 60, found %d.", a.period)
	}

	if total > 7*86400 || a.period < 3600 && total > 86400 {
		return nil, invalid("Metrics cannot be checked across more than a day " +
			"(EvaluationPeriods * Period must be <= 86400), or a week for periods of an hour and more.")
	}

	return a, nil
}

// singleQuery is the query of an alarm on one metric. As on AWS it has a random id.
func (a *alarm) singleQuery() types.MetricDataQuery {
	stat := string(a.Statistic)
	if a.ExtendedStatistic != nil {
		stat = *a.ExtendedStatistic
	}

	return types.MetricDataQuery{Id: new("m" + uuid.NewString()[1:8]), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions},
		Period: a.Period, Stat: &stat, Unit: a.Unit,
	}}
}

var (
	comparisons = []types.ComparisonOperator{
		types.ComparisonOperatorGreaterThanOrEqualToThreshold,
		types.ComparisonOperatorGreaterThanThreshold,
		types.ComparisonOperatorLessThanThreshold,
		types.ComparisonOperatorLessThanOrEqualToThreshold,
	}
	treatments = []string{missing, ignore, breaching, notBreaching}
)

func checkAlarm(in *cloudwatch.PutMetricAlarmInput) error {
	periods := deref(in.EvaluationPeriods)
	switch {
	case deref(in.AlarmName) == "" || len(*in.AlarmName) > 255:
		return invalid("AlarmName must have 1 to 255 characters.")
	case !slices.Contains(comparisons, in.ComparisonOperator):
		return invalid("ComparisonOperator is %q, expected one of %v.", in.ComparisonOperator,
			comparisons)
	case periods < 1:
		return invalid("EvaluationPeriods must be at least 1.")
	case in.Threshold == nil || math.IsNaN(*in.Threshold):
		return invalid("Threshold is required: this stand-in has no anomaly detection.")
	case in.DatapointsToAlarm != nil && (*in.DatapointsToAlarm < 1 || *in.DatapointsToAlarm > periods):
		return invalid("DatapointsToAlarm is %d, expected 1 to EvaluationPeriods, which is %d.",
			*in.DatapointsToAlarm, periods)
	case in.TreatMissingData != nil && !slices.Contains(treatments, *in.TreatMissingData):
		return invalid("TreatMissingData is %q, expected one of %v.", *in.TreatMissingData, treatments)
	case (in.MetricName == nil) == (len(in.Metrics) == 0):
		return invalid("Exactly one of MetricName and Metrics is required.")
	case len(in.Metrics) > 0 && (in.Namespace != nil || len(in.Dimensions) > 0 || in.Period != nil ||
		in.Statistic != "" || in.ExtendedStatistic != nil):
		return invalid(
			"With Metrics, leave out Namespace, Dimensions, Period, Statistic and ExtendedStatistic.")
	case in.MetricName != nil && (in.Statistic == "") == (in.ExtendedStatistic == nil):
		return invalid("Exactly one of Statistic and ExtendedStatistic is required.")
	}

	return nil
}

// tick is the interval between evaluations, in seconds.
func (a *alarm) tick() int64 { return min(a.period, 60) }

// schedule starts the timer for the next evaluation, on a whole tick; the caller holds the lock.
func (s *Service) schedule(a *alarm) {
	now := time.Now()
	next := time.Unix(now.Unix()-now.Unix()%a.tick()+a.tick(), 0)
	a.timer = time.AfterFunc(next.Sub(now), func() { s.evaluate(a) })
}

func (s *Service) evaluate(a *alarm) {
	s.mu.Lock()
	if s.closed || s.alarms[*a.AlarmName] != a {
		s.mu.Unlock()
		return
	}

	s.pending.Add(1)
	defer s.pending.Done()

	now := time.Now()
	end := now.Unix() - now.Unix()%a.tick()

	var changed *stateChange
	if data, err := s.datapoints(a, end); err != nil {
		changed = a.change(types.StateValueInsufficientData, "Evaluation error: "+err.Error(), "", now)
	} else if decided, keep := a.decide(data); !keep && decided != a.StateValue {
		changed = a.change(decided, a.reason(decided, data, end), a.reasonData(data, end, now), now)
	}

	if changed == nil && s.silent(a, end) {
		s.sleep(a)
	} else {
		s.schedule(a)
	}
	s.mu.Unlock()
	s.announce(changed)
}

// silent tells whether the metrics of an alarm have no data in the evaluation range. Until data is
// put, each evaluation would have the same result: 40,000 of them in a month without traffic.
func (s *Service) silent(a *alarm, end int64) bool {
	from := end - (int64(*a.EvaluationPeriods)+lookBack)*a.period
	for _, q := range a.queries {
		if q.key != "" && s.find(q.key, "").newest() >= from {
			return false
		}
	}

	return true
}

// sleep suspends the evaluation of an alarm until there is data or its state is set; the caller
// holds the lock.
func (s *Service) sleep(a *alarm) {
	a.sleeps = true
	for _, q := range a.queries {
		if q.key != "" {
			s.asleep[q.key] = append(s.asleep[q.key], a)
		}
	}
}

// wake resumes the evaluation of an alarm at the next tick; the caller holds the lock.
func (s *Service) wake(a *alarm) {
	if !a.sleeps {
		return
	}

	a.sleeps = false
	for _, q := range a.queries {
		s.asleep[q.key] = slices.DeleteFunc(s.asleep[q.key],
			func(other *alarm) bool { return other == a })
	}

	if !s.closed && s.alarms[*a.AlarmName] == a {
		s.schedule(a)
	}
}

// datapoints returns the evaluation range, oldest first, with NaN for a period without data. The
// range is longer than EvaluationPeriods, as on CloudWatch, so that late data still counts.
func (s *Service) datapoints(a *alarm, end int64) ([]float64, error) {
	n := int64(*a.EvaluationPeriods) + lookBack
	w := window{end - n*a.period, end, a.period}

	result, err := s.run(a.queries, a.watched, w)
	if err != nil {
		return nil, err
	}

	data := make([]float64, n)
	for i := range data {
		data[i] = math.NaN()

		if len(result.lines) != 1 {
			continue
		}

		if x, ok := result.lines[0][w.from+int64(i)*a.period]; ok {
			data[i] = x
		}
	}

	return data, nil
}
