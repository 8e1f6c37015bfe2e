// Package metrics asks CloudWatch how an environment fares: which alarms ring, and how many calls its stage
// had and failed.
package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Metrics are the application's metrics and alarms.
type Metrics struct {
	client  api
	apiName string
	period  time.Duration
}

// New opens the metrics.
func New(client *cloudwatch.Client, s statemachine.Settings) *Metrics {
	return &Metrics{client, s.APIName, s.MetricPeriod.Std()}
}

// Ringing tells which of the alarms are in ALARM. One that does not exist is an error: it would never ring.
func (m *Metrics) Ringing(ctx context.Context, names []string) ([]string, error) {
	states := map[string]types.StateValue{}
	for some := range slices.Chunk(names, 100) { // as many as one call takes
		pages := cloudwatch.NewDescribeAlarmsPaginator(m.client, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: some, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, awserr.Wrap(err, "look at the alarms %s", strings.Join(some, ", "))
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
		return nil, fmt.Errorf("%s: alarms: found no alarm %s in CloudWatch; create it or take it out",
			statemachine.SettingsKey, strings.Join(missing, ", "))
	}
	return ringing, nil
}

// Calls counts the calls of the environment's stage, and those that the API failed, in the periods that begin from since on, rounded down to
// a period as CloudWatch does, and before until.
func (m *Metrics) Calls(ctx context.Context, env statemachine.Environment, since, until time.Time) (requests, errors float64, err error) {
	if m.period < time.Second {
		return 0, 0, fmt.Errorf("%s: metricPeriod: found %s, expected 1m or, for metrics of high resolution, seconds",
			statemachine.SettingsKey, m.period)
	}
	since = since.Truncate(m.period)
	if !since.Before(until) {
		return 0, 0, nil
	}
	sums := map[string]*float64{"requests": &requests, "errors": &errors}
	pages := cloudwatch.NewGetMetricDataPaginator(m.client, &cloudwatch.GetMetricDataInput{
		StartTime: &since, EndTime: &until,
		MetricDataQueries: []types.MetricDataQuery{m.sum("requests", "Count", env), m.sum("errors", "5XXError", env)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, 0, awserr.Wrap(err, "count the calls of stage %s of %s", env.Stage(), m.apiName)
		}
		for _, result := range page.MetricDataResults {
			if result.StatusCode == types.StatusCodeInternalError || result.StatusCode == types.StatusCodeForbidden {
				return 0, 0, statemachine.Errorf(statemachine.Throttled, "count the calls of stage %s of %s: CloudWatch answered %s",
					env.Stage(), m.apiName, result.StatusCode)
			}
			if sum := sums[aws.ToString(result.Id)]; sum != nil {
				for _, value := range result.Values {
					*sum += value
				}
			}
		}
	}
	return requests, errors, nil
}

func (m *Metrics) sum(id, metric string, env statemachine.Environment) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, ReturnData: aws.Bool(true), MetricStat: &types.MetricStat{
		Stat: aws.String("Sum"), Period: aws.Int32(int32(m.period / time.Second)),
		Metric: &types.Metric{
			Namespace: aws.String("AWS/ApiGateway"), MetricName: &metric,
			Dimensions: []types.Dimension{
				{Name: aws.String("ApiName"), Value: &m.apiName},
				{Name: aws.String("Stage"), Value: aws.String(env.Stage())},
			},
		},
	}}
}
