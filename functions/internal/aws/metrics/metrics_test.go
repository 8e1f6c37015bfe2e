package metrics

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/metrics"
	"lockstep/statemachine"
)

// fake is CloudWatch with some alarms and, for the calls to a stage, pages of results.
type fake struct {
	alarms map[string]types.StateValue
	pages  [][]types.MetricDataResult
	asked  []*sdk.GetMetricDataInput
	whole  bool // each page is the answer to a question of its own
}

func (f *fake) DescribeAlarms(_ context.Context, in *sdk.DescribeAlarmsInput,
	_ ...func(*sdk.Options)) (*sdk.DescribeAlarmsOutput, error) {
	if n := len(in.AlarmNames); n < 1 || n > 100 { // without names AWS lists them all
		return nil, fmt.Errorf("asked for %d alarms", n)
	}

	out := &sdk.DescribeAlarmsOutput{}

	for _, name := range in.AlarmNames {
		state, found := f.alarms[name]
		switch {
		case found && strings.HasPrefix(name, "composite"):
			out.CompositeAlarms = append(out.CompositeAlarms,
				types.CompositeAlarm{AlarmName: &name, StateValue: state})
		case found:
			out.MetricAlarms = append(out.MetricAlarms,
				types.MetricAlarm{AlarmName: &name, StateValue: state})
		}
	}

	return out, nil
}

func (f *fake) GetMetricData(_ context.Context, in *sdk.GetMetricDataInput,
	_ ...func(*sdk.Options)) (*sdk.GetMetricDataOutput, error) {
	page := len(f.asked)
	f.asked = append(f.asked, in)

	out := &sdk.GetMetricDataOutput{MetricDataResults: f.pages[page]}
	if page+1 < len(f.pages) && !f.whole {
		out.NextToken = aws.String("more")
	}

	return out, nil
}

func TestRinging(t *testing.T) {
	f := &fake{alarms: map[string]types.StateValue{
		"errors-a": types.StateValueAlarm, "latency-a": types.StateValueOk,
		"silence-a": types.StateValueInsufficientData, "composite-a": types.StateValueAlarm,
	}}
	names := []string{"latency-a", "errors-a", "silence-a", "composite-a"}

	for i := range 200 {
		name := fmt.Sprintf("many-%d", i)
		names, f.alarms[name] = append(names, name), types.StateValueOk
	}

	m := &Metrics{client: f}

	got, err := m.Ringing(t.Context(), names)
	if want := []string{"errors-a", "composite-a"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}

	if got, err := m.Ringing(t.Context(), nil); got != nil || err != nil {
		t.Errorf("no alarms: got %v, %v", got, err)
	}

	if _, err := m.Ringing(t.Context(), []string{"errors-a", "mispelled"}); err == nil ||
		!strings.Contains(err.Error(), "mispelled") {
		t.Errorf("got %v, want the alarm that does not exist", err)
	}
}

func TestCalls(t *testing.T) {
	result := func(id string, status types.StatusCode, values ...float64) types.MetricDataResult {
		times := make([]time.Time, len(values))
		return types.MetricDataResult{Id: &id, StatusCode: status, Values: values, Timestamps: times}
	}
	f := &fake{pages: [][]types.MetricDataResult{
		{result("m0", types.StatusCodePartialData, 10, 20), result("m1", types.StatusCodeComplete)},
		{result("m0", types.StatusCodeComplete, 5), result("m1", types.StatusCodeComplete, 2)},
	}}
	m := &Metrics{f, statemachine.Settings{APIName: "shop",
		MetricPeriod: statemachine.Duration(time.Minute)}}
	since := time.Date(2026, 1, 2, 10, 0, 40, 0, time.UTC)

	requests, errors, err := m.Calls(t.Context(), statemachine.B, since, since.Add(5*time.Minute))
	if requests != 35 || errors != 2 || err != nil {
		t.Errorf("got %v, %v, %v; want 35 and 2", requests, errors, err)
	}

	asked := f.asked[0]
	if !asked.StartTime.Equal(since.Truncate(time.Minute)) ||
		!asked.EndTime.Equal(since.Add(5*time.Minute)) {
		t.Errorf("asked from %s to %s", asked.StartTime, asked.EndTime)
	}

	for i, name := range []string{"Count", "5XXError"} {
		stat := asked.MetricDataQueries[i].MetricStat

		d := stat.Metric.Dimensions
		if *stat.Metric.Namespace != "AWS/ApiGateway" || *stat.Metric.MetricName != name ||
			*stat.Stat != "Sum" || *stat.Period != 60 ||
			*d[0].Name != "ApiName" || *d[0].Value != "shop" || *d[1].Name != "Stage" ||
			*d[1].Value != "api-b" {
			t.Errorf("query %d asks for %s %s of %s", i, *stat.Stat, *stat.Metric.MetricName,
				*stat.Metric.Namespace)
		}
	}
}

func TestCalls_NoAnswerIsNotSilence(t *testing.T) {
	id := "m0"
	f := &fake{pages: [][]types.MetricDataResult{{{Id: &id,
		StatusCode: types.StatusCodeInternalError}}}}

	m := &Metrics{f, statemachine.Settings{APIName: "shop",
		MetricPeriod: statemachine.Duration(time.Minute)}}
	if _, _, err := m.Calls(t.Context(), statemachine.A, time.Now().Add(-time.Hour),
		time.Now()); statemachine.Name(err) != statemachine.Throttled {
		t.Errorf("got %v, want Throttled", err)
	}
}

// Through the SDK and the protocol: calls of the other stage, and from before the bake, don't
// count.
func TestMetrics_OverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := metrics.New(func(string, string, []string, any) {})
		defer service.Close()

		endpoint := cloud.NewEndpoint(map[string]http.Handler{"monitoring": service})
		m := New(sdk.NewFromConfig(endpoint.Config()), statemachine.Settings{
			APIName: "shop", MetricPeriod: statemachine.Duration(10 * time.Second),
		})
		count := func(stage, metric string, n int) {
			for range n {
				service.Put("AWS/ApiGateway", metric, map[string]string{"ApiName": "shop", "Stage": stage}, 1,
					"Count")
			}
		}
		count("api-b", "Count", 100)
		time.Sleep(time.Minute)

		since := time.Now()

		count("api-a", "Count", 50)

		for range 3 {
			count("api-b", "Count", 10)
			count("api-b", "5XXError", 1)
			time.Sleep(10 * time.Second)
		}

		requests, errors, err := m.Calls(t.Context(), statemachine.B, since, time.Now())
		if requests != 30 || errors != 3 || err != nil {
			t.Errorf("got %v, %v, %v; want 30 and 3", requests, errors, err)
		}

		if err := service.PutAlarm(&sdk.PutMetricAlarmInput{
			AlarmName: aws.String("errors-b"), Namespace: aws.String("AWS/ApiGateway"), MetricName: aws.String("5XXError"),
			Dimensions: []types.Dimension{{Name: aws.String("ApiName"), Value: aws.String("shop")},
				{Name: aws.String("Stage"), Value: aws.String("api-b")}},
			Statistic: types.StatisticSum, Period: aws.Int32(10), EvaluationPeriods: aws.Int32(1),
			Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold,
		}); err != nil {
			t.Fatal(err)
		}

		if ringing, err := m.Ringing(t.Context(), []string{"errors-b"}); len(ringing) != 0 || err != nil {
			t.Errorf("before it is evaluated: got %v, %v", ringing, err)
		}

		for range 6 {
			count("api-b", "5XXError", 2)
			time.Sleep(5 * time.Second)
		}

		if ringing, err := m.Ringing(t.Context(), []string{"errors-b"}); !slices.Equal(ringing,
			[]string{"errors-b"}) || err != nil {
			t.Errorf("got %v, %v; want errors-b", ringing, err)
		}
	})
}

// Slow calls are counted above a threshold, period by period; what was not measured has no value.
func TestCounts_OverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := metrics.New(func(string, string, []string, any) {})
		defer service.Close()

		endpoint := cloud.NewEndpoint(map[string]http.Handler{"monitoring": service})
		settings := statemachine.Settings{APIName: "shop",
			MetricPeriod: statemachine.Duration(time.Minute)}
		m := New(sdk.NewFromConfig(endpoint.Config()), settings)
		since := time.Now()

		for minute := range 3 {
			for _, latency := range []float64{80, 120, 400, 900} {
				if minute != 1 {
					service.Put("AWS/ApiGateway", "Latency",
						map[string]string{"ApiName": "shop", "Stage": "api-b"}, latency, "Milliseconds")
				}
			}

			time.Sleep(time.Minute)
		}

		slow := settings.Calls("Latency", "TC(300:)")

		got, err := m.Counts(t.Context(), []statemachine.Series{slow.In(statemachine.B),
			slow.In(statemachine.A)}, time.Minute, since.Add(20*time.Second), time.Now())
		if want := map[int64]float64{since.Unix(): 2, since.Unix() + 120: 2}; err != nil ||
			!maps.Equal(got[0], want) || len(got[1]) != 0 {
			t.Errorf("got %v, %v; want %v and none of a", got, err, want)
		}

		if _, err := m.Counts(t.Context(), []statemachine.Series{settings.Calls("Latency", "TC(300)")},
			time.Minute, since, time.Now()); err == nil || !strings.Contains(err.Error(), "TC(300)") {
			t.Errorf("got %v, want a statistic that is refused", err)
		}
	})
}

func TestCounts_ManySeries(t *testing.T) {
	at := time.Unix(600, 0)

	var series []statemachine.Series
	for range maxQueries + 1 {
		series = append(series, statemachine.Series{Namespace: "Shop", Metric: "Orders", Stat: "Sum"})
	}

	last := fmt.Sprintf("m%d", maxQueries)
	f := &fake{pages: [][]types.MetricDataResult{
		{{Id: aws.String("m0"), Values: []float64{1}, Timestamps: []time.Time{at}}},
		{{Id: &last, Values: []float64{2}, Timestamps: []time.Time{at}}},
	}, whole: true}
	m := &Metrics{client: f}

	got, err := m.Counts(t.Context(), series, time.Minute, at, at.Add(time.Minute))
	if err != nil || got[0][600] != 1 || got[maxQueries][600] != 2 ||
		len(f.asked[0].MetricDataQueries) != maxQueries || len(f.asked[1].MetricDataQueries) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Breached looks at an alarm's datapoints from the period on in which a time lies, and not before.
func TestBreached_OverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := metrics.New(func(string, string, []string, any) {})
		defer service.Close()

		endpoint := cloud.NewEndpoint(map[string]http.Handler{"monitoring": service})
		m := New(sdk.NewFromConfig(endpoint.Config()),
			statemachine.Settings{MetricPeriod: statemachine.Duration(time.Minute)})
		failed := func(n float64) {
			service.Put("AWS/Lambda", "Errors", map[string]string{"FunctionName": "shop"}, n, "Count")
		}
		metric := types.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"),
			Dimensions: []types.Dimension{{Name: aws.String("FunctionName"), Value: aws.String("shop")}}}

		alarm := sdk.PutMetricAlarmInput{
			AlarmName: aws.String("live"), Threshold: aws.Float64(5), EvaluationPeriods: aws.Int32(4), DatapointsToAlarm: aws.Int32(1),
			ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
			Metrics: []types.MetricDataQuery{
				{Id: aws.String("judged"), Expression: aws.String("FILL(failed, 0)"),
					ReturnData: aws.Bool(true)},
				{Id: aws.String("failed"), ReturnData: aws.Bool(false),
					MetricStat: &types.MetricStat{Metric: &metric, Period: aws.Int32(60),
						Stat: aws.String("Sum")}},
			},
		}
		if err := service.PutAlarm(&alarm); err != nil {
			t.Fatal(err)
		}

		expect := func(since time.Time, want bool) {
			t.Helper()

			if got, err := m.Breached(t.Context(), "live", since); got != want || err != nil {
				t.Errorf("since %s: got %t, %v; want %t", since.UTC().Format(time.TimeOnly), got, err, want)
			}
		}
		began := time.Now()

		failed(6)
		time.Sleep(90 * time.Second)
		failed(5)
		time.Sleep(30 * time.Second)
		expect(began.Add(30*time.Second), true)
		expect(began.Add(time.Minute), false)
		failed(6)
		time.Sleep(time.Second)
		expect(began.Add(time.Minute), true)

		alarm.ComparisonOperator = types.ComparisonOperatorLessThanThreshold
		if err := service.PutAlarm(&alarm); err != nil {
			t.Fatal(err)
		}

		if _, err := m.Breached(t.Context(), "live", began); err == nil ||
			!strings.Contains(err.Error(), "live") {
			t.Errorf("got %v, want the alarm that somebody changed", err)
		}
	})
}
