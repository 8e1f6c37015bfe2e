// Package metrics reads alarms and metrics from CloudWatch.
package metrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput,
		...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput,
		...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Metrics are the application's metrics and alarms.
type Metrics struct {
	client   api
	settings statemachine.Settings
}

// New opens the metrics.
func New(client *cloudwatch.Client, s statemachine.Settings) *Metrics {
	return &Metrics{client, s}
}

// Ringing lists those of the alarms that are in state ALARM. A missing alarm is an error: it would
// never ring. The other errors are those of awserr.Wrap.
func (m *Metrics) Ringing(ctx context.Context, names []string) ([]string, error) {
	states := map[string]types.StateValue{}

	for some := range slices.Chunk(names, 100) { // as many as one call takes
		pages := cloudwatch.NewDescribeAlarmsPaginator(m.client, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: some, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm,
				types.AlarmTypeCompositeAlarm},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, awserr.Wrap(err, "describe the alarms %s", strings.Join(some, ", "))
			}

			for _, a := range page.MetricAlarms {
				states[aws.ToString(a.AlarmName)] = a.StateValue
			}

			for _, a := range page.CompositeAlarms {
				states[aws.ToString(a.AlarmName)] = a.StateValue
			}
		}
	}

	var ringing, missing []string

	for _, name := range names {
		state, found := states[name]
		if !found {
			missing = append(missing, name)
		} else if state == types.StateValueAlarm {
			ringing = append(ringing, name)
		}
	}

	if missing != nil {
		return nil, fmt.Errorf("%s: alarms: found no alarm %s in CloudWatch; create it or remove it",
			statemachine.SettingsKey, strings.Join(missing, ", "))
	}

	return ringing, nil
}

// Breached tells whether an alarm's metric has exceeded its threshold since a time, or in the
// period in which that time lies. It runs the alarm's own queries: DescribeAlarms only has the
// datapoints of the latest state change. Its errors are those of awserr.Wrap, and Throttled.
func (m *Metrics) Breached(ctx context.Context, name string, since time.Time) (bool, error) {
	out, err := m.client.DescribeAlarms(ctx,
		&cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	if err != nil {
		return false, awserr.Wrap(err, "describe the alarm %s", name)
	}

	if len(out.MetricAlarms) != 1 || out.MetricAlarms[0].Metrics == nil ||
		out.MetricAlarms[0].ComparisonOperator != types.ComparisonOperatorGreaterThanThreshold {
		return false, fmt.Errorf("alarm %s: expected an alarm on an expression that breaches above a "+
			"threshold; run \"cdk deploy\" again, which makes it", name)
	}

	a, until := out.MetricAlarms[0], time.Now()
	for _, q := range a.Metrics {
		if q.MetricStat != nil {
			since = since.Truncate(time.Duration(*q.MetricStat.Period) * time.Second)
		}
	}

	pages := cloudwatch.NewGetMetricDataPaginator(m.client,
		&cloudwatch.GetMetricDataInput{StartTime: &since, EndTime: &until, MetricDataQueries: a.Metrics})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, awserr.Wrap(err, "read the datapoints of %s", name)
		}

		for _, result := range page.MetricDataResults {
			if err := answered(result, "the datapoints of "+name); err != nil {
				return false, err
			}

			if slices.ContainsFunc(result.Values, func(x float64) bool { return x > *a.Threshold }) {
				return true, nil
			}
		}
	}

	return false, nil
}

// Calls counts the calls of the environment's stage, and those that the API failed. The times are
// as in Counts.
func (m *Metrics) Calls(ctx context.Context, env statemachine.Environment, since,
	until time.Time) (requests, errors float64, err error) {
	series := []statemachine.Series{m.settings.Calls("Count", "Sum").In(env),
		m.settings.Calls("5XXError", "Sum").In(env)}

	counts, err := m.Counts(ctx, series, m.settings.MetricPeriod.Std(), since, until)
	if err != nil {
		return 0, 0, err
	}

	for at, n := range counts[0] {
		requests += n
		errors += counts[1][at]
	}

	return requests, errors, nil
}

// Counts returns the values of each series, by the Unix time at which their period begins. Periods
// begin from since, rounded down to a period, and before until. A period without data has no value.
// The period is at least a second. Its errors are those of awserr.Wrap, and Throttled.
func (m *Metrics) Counts(ctx context.Context, series []statemachine.Series, period time.Duration,
	since, until time.Time) ([]map[int64]float64, error) {
	if period < time.Second {
		return nil, fmt.Errorf("%s: metricPeriod: found %s, expected 1m or, for metrics of high "+
			"resolution, seconds", statemachine.SettingsKey, period)
	}

	counts := make([]map[int64]float64, len(series))
	for i := range counts {
		counts[i] = map[int64]float64{}
	}

	since = since.Truncate(period)
	if !since.Before(until) {
		return counts, nil
	}

	queries := make([]types.MetricDataQuery, len(series))
	for i, one := range series {
		queries[i] = query(i, one, period)
	}

	for some := range slices.Chunk(queries, maxQueries) {
		pages := cloudwatch.NewGetMetricDataPaginator(m.client,
			&cloudwatch.GetMetricDataInput{StartTime: &since, EndTime: &until, MetricDataQueries: some})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, awserr.Wrap(err, "read metrics of %s", series[0].Namespace)
			}

			for _, result := range page.MetricDataResults {
				if err := add(counts, series, result); err != nil {
					return nil, err
				}
			}
		}
	}

	return counts, nil
}

// add adds a result's values to the counts of its series.
func add(counts []map[int64]float64, series []statemachine.Series,
	result types.MetricDataResult) error {
	i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(result.Id), "m"))
	if err != nil || i >= len(series) {
		return fmt.Errorf("read metrics: CloudWatch answered the query %q, which was not sent",
			aws.ToString(result.Id))
	}

	if err := answered(result, series[i].Metric+" of "+series[i].Namespace); err != nil {
		return err
	}

	for j, value := range result.Values {
		counts[i][result.Timestamps[j].Unix()] += value
	}

	return nil
}

// answered is the error of a query that failed. Such a result has no values, but that does not mean
// that there are none.
func answered(result types.MetricDataResult, what string) error {
	if result.StatusCode == types.StatusCodeInternalError ||
		result.StatusCode == types.StatusCodeForbidden {
		return statemachine.Errorf(statemachine.Throttled, "read %s: CloudWatch answered %s", what,
			result.StatusCode)
	}

	return nil
}

// maxQueries is how many series one call of GetMetricData takes.
const maxQueries = 500

// query is the query of the i-th series. Its id is "m" and the index.
func query(i int, s statemachine.Series, period time.Duration) types.MetricDataQuery {
	var dimensions []types.Dimension
	for _, name := range slices.Sorted(maps.Keys(s.Dimensions)) {
		dimensions = append(dimensions, types.Dimension{Name: aws.String(name),
			Value: aws.String(s.Dimensions[name])})
	}

	return types.MetricDataQuery{Id: aws.String("m" + strconv.Itoa(i)), ReturnData: aws.Bool(true),
		MetricStat: &types.MetricStat{
			Stat: &s.Stat, Period: aws.Int32(int32(period / time.Second)),
			Metric: &types.Metric{Namespace: &s.Namespace, MetricName: &s.Metric, Dimensions: dimensions},
		}}
}
