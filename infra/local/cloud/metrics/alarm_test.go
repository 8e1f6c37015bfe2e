package metrics

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// errorAlarm rings when two of three minutes have more than five errors.
func errorAlarm(name string) *cloudwatch.PutMetricAlarmInput {
	m := metric("m", "5XXError", "Sum", 60).MetricStat

	return &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, AlarmDescription: aws.String("api-a fails"), Namespace: m.Metric.Namespace,
		MetricName: m.Metric.MetricName, Dimensions: m.Metric.Dimensions,
		Statistic: types.StatisticSum, Period: m.Period, EvaluationPeriods: aws.Int32(3),
		DatapointsToAlarm: aws.Int32(2),
		Threshold:         aws.Float64(5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	}
}

// The tables of "Configuring how CloudWatch alarms treat missing data": X breaches, 0 does not, -
// is missing. The columns are missing, ignore, breaching and notBreaching; "keep" keeps the state.
func TestDecide_MissingData(t *testing.T) {
	for _, c := range []struct {
		needed int32
		data   string
		want   [4]string
	}{
		{3, "0-X-X", [4]string{"OK", "OK", "OK", "OK"}},
		{3, "----0", [4]string{"OK", "OK", "OK", "OK"}},
		{3, "-----", [4]string{"INSUFFICIENT_DATA", "keep", "ALARM", "OK"}},
		{3, "0XX-X", [4]string{"ALARM", "ALARM", "ALARM", "ALARM"}},
		{3, "--X--", [4]string{"ALARM", "keep", "ALARM", "OK"}},
		{3, "----X", [4]string{"OK", "OK", "ALARM", "OK"}},
		{2, "0-X-X", [4]string{"ALARM", "ALARM", "ALARM", "ALARM"}},
		{2, "00X0X", [4]string{"ALARM", "ALARM", "ALARM", "ALARM"}},
		{2, "0-X--", [4]string{"OK", "OK", "ALARM", "OK"}},
		{2, "----0", [4]string{"OK", "OK", "ALARM", "OK"}},
		{2, "---X-", [4]string{"ALARM", "keep", "ALARM", "OK"}},
		{2, "-----", [4]string{"INSUFFICIENT_DATA", "keep", "ALARM", "OK"}},
	} {
		for i, treatment := range []string{missing, ignore, breaching, notBreaching} {
			in := errorAlarm("a")
			in.DatapointsToAlarm, in.TreatMissingData = &c.needed, &treatment

			a, err := newAlarm(in)
			if err != nil {
				t.Fatal(err)
			}

			var data []float64
			for _, point := range c.data {
				data = append(data, map[rune]float64{'X': 9, '0': 0, '-': math.NaN()}[point])
			}

			state, keep := a.decide(data)

			got := string(state)
			if keep {
				got = "keep"
			}

			if got != c.want[i] {
				t.Errorf("%d of 3, %s, %s: %s, want %s", c.needed, c.data, treatment, got, c.want[i])
			}
		}
	}
}

func TestAlarm_RingsAfterItsPeriods(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		if _, err := r.PutMetricAlarm(t.Context(), errorAlarm("shop-api-a-errors")); err != nil {
			t.Fatal(err)
		}

		start := time.Now()

		for minute := range 8 {
			r.count("5XXError", map[bool]float64{true: 9, false: 1}[minute == 3 || minute == 4])
			pass(time.Minute)
		}

		pass(time.Second)

		var got []string

		for _, change := range r.seen() {
			at, err := time.Parse("2006-01-02T15:04:05.000-0700", change.State.Timestamp)
			if err != nil {
				t.Fatal(err)
			}

			got = append(got, at.Sub(start).String()+" "+string(change.PreviousState.Value)+" -> "+
				string(change.State.Value))
		}

		if want := []string{"1m0s INSUFFICIENT_DATA -> OK", "5m0s OK -> ALARM",
			"7m0s ALARM -> OK"}; !slices.Equal(got, want) {
			t.Fatalf("changes %q, want %q", got, want)
		}

		text, _ := json.Marshal(r.seen()[1])

		var detail, want any

		_ = json.Unmarshal(text, &detail)
		id := r.seen()[1].Configuration.Metrics[0].ID

		_ = json.Unmarshal([]byte(`{
			"alarmName": "shop-api-a-errors",
			"state": {"value": "ALARM", "timestamp": "2000-01-01T00:05:00.000+0000",
				"reason": "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/00 00:04:00), 9.0 (01/01/00 00:03:00)] were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition).",
				"reasonData": "{\"evaluatedDatapoints\":[{\"timestamp\":\"2000-01-01T00:04:00.000+0000\",\"value\":9},{\"timestamp\":\"2000-01-01T00:03:00.000+0000\",\"value\":9},{\"timestamp\":\"2000-01-01T00:02:00.000+0000\",\"value\":1}],\"period\":60,\"queryDate\":\"2000-01-01T00:05:00.000+0000\",\"recentDatapoints\":[1,9,9],\"startDate\":\"2000-01-01T00:02:00.000+0000\",\"statistic\":\"Sum\",\"threshold\":5,\"version\":\"1.0\"}"},
			"previousState": {"value": "OK", "timestamp": "2000-01-01T00:01:00.000+0000",
				"reason": "Threshold Crossed: 1 out of the last 3 datapoints [1.0 (01/01/00 00:00:00)] was not greater than the threshold (5.0) (minimum 2 datapoints for ALARM -> OK transition).",
				"reasonData": "{\"evaluatedDatapoints\":[{\"timestamp\":\"2000-01-01T00:00:00.000+0000\",\"value\":1}],\"period\":60,\"queryDate\":\"2000-01-01T00:01:00.000+0000\",\"recentDatapoints\":[1],\"startDate\":\"2000-01-01T00:00:00.000+0000\",\"statistic\":\"Sum\",\"threshold\":5,\"version\":\"1.0\"}"},
			"configuration": {"description": "api-a fails", "metrics": [{"id": "`+id+`", "returnData": true, "metricStat":
				{"metric": {"dimensions": {"ApiName": "shop", "Stage": "api-a"}, "name": "5XXError", "namespace": "AWS/ApiGateway"}, "period": 60, "stat": "Sum"}}]}
		}`), &want)
		if !reflect.DeepEqual(detail, want) {
			t.Errorf("detail = %s", text)
		}

		out, err := r.DescribeAlarms(
			t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"shop-api-a-errors"}})
		if err != nil || len(out.MetricAlarms) != 1 {
			t.Fatalf("DescribeAlarms = %+v, %v", out, err)
		}

		if a := out.MetricAlarms[0]; a.StateValue != types.StateValueOk ||
			!a.StateTransitionedTimestamp.Equal(start.Add(7*time.Minute)) || *a.Threshold != 5 ||
			len(a.Dimensions) != 2 {
			t.Errorf("described %+v", a)
		}
	})
}

func TestAlarm_HighResolutionMath(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		rate := math1("rate", "IF(count >= 5, 100 * FILL(errors, 0) / count, 0)")
		errorsOf, count := metric("errors", "5XXError", "Sum", 10), metric("count", "Count", "Sum", 10)

		errorsOf.ReturnData, count.ReturnData = aws.Bool(false), aws.Bool(false)
		if _, err := r.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
			AlarmName: aws.String("rate"), Metrics: []types.MetricDataQuery{rate, errorsOf,
				count}, EvaluationPeriods: aws.Int32(1),
			Threshold: aws.Float64(10), ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold, TreatMissingData: aws.String(notBreaching),
		}); err != nil {
			t.Fatal(err)
		}

		start := time.Now()

		for i := range 100 {
			r.count("Count", 1)

			if i >= 50 && i < 70 && i%5 == 0 {
				r.count("5XXError", 1)
			}

			pass(time.Second)
		}

		pass(time.Second)

		var got []string

		for _, change := range r.seen() {
			at, _ := time.Parse("2006-01-02T15:04:05.000-0700", change.State.Timestamp)
			got = append(got, at.Sub(start).String()+" "+string(change.State.Value))
		}

		if want := []string{"10s OK", "1m0s ALARM", "1m20s OK"}; !slices.Equal(got, want) {
			t.Errorf("changes %q, want %q", got, want)
		}

		if m := r.seen()[1].Configuration.Metrics; len(m) != 3 || m[2].Expression != *rate.Expression ||
			!m[2].ReturnData || m[0].ReturnData {
			t.Errorf("metrics %+v", m)
		}
	})
}

// It has no visible effect that an alarm is not evaluated while its metrics have no data: its state
// changes in the same minutes.
func TestAlarm_AfterALongSilence(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		in := errorAlarm("a")

		in.TreatMissingData = aws.String(notBreaching)
		if err := r.PutAlarm(in); err != nil {
			t.Fatal(err)
		}

		pass(100 * 24 * time.Hour)

		start := time.Now()

		for range 2 {
			pass(30 * time.Second)
			r.count("5XXError", 9)
			pass(30 * time.Second)
		}

		pass(time.Hour)

		if _, err := r.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("a"), StateValue: types.StateValueAlarm, StateReason: aws.String("by hand")}); err != nil {
			t.Fatal(err)
		}

		pass(time.Hour)

		var got []string

		for _, change := range r.seen() {
			at, _ := time.Parse("2006-01-02T15:04:05.000-0700", change.State.Timestamp)
			got = append(got, at.Sub(start).Round(time.Minute).String()+" "+string(change.State.Value))
		}

		if want := []string{"-2399h59m0s OK", "2m0s ALARM", "6m0s OK", "1h2m0s ALARM",
			"1h3m0s OK"}; !slices.Equal(got, want) {
			t.Errorf("changes %q, want %q", got, want)
		}
	})
}

func TestAlarm_SilenceAfterData(t *testing.T) {
	for treatment, want := range map[string]types.StateValue{missing: types.StateValueInsufficientData,
		breaching: types.StateValueAlarm, notBreaching: types.StateValueOk, ignore: types.StateValueOk} {
		run(t, func(t *testing.T, r *rig) {
			in := errorAlarm("a")

			in.TreatMissingData = &treatment
			if err := r.PutAlarm(in); err != nil {
				t.Fatal(err)
			}

			for range 5 {
				r.count("5XXError", 0)
				pass(time.Minute)
			}

			pass(10 * time.Minute)

			if got := r.Alarms()[0].StateValue; got != want {
				t.Errorf("%s: %s, want %s", treatment, got, want)
			}
		})
	}
}

func TestSetAlarmState_UntilTheNextEvaluation(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		if err := r.PutAlarm(errorAlarm("a")); err != nil {
			t.Fatal(err)
		}

		r.count("5XXError", 0)
		pass(90 * time.Second)

		set := func(name string, state types.StateValue) error {
			_, err := r.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: &name,
				StateValue: state, StateReason: aws.String("by hand")})

			return err
		}
		for range 2 { // the second changes nothing
			if err := set("a", types.StateValueAlarm); err != nil {
				t.Fatal(err)
			}
		}

		if n := len(r.seen()); n != 2 || r.seen()[1].State.Value != types.StateValueAlarm ||
			r.seen()[1].State.Reason != "by hand" || r.seen()[1].PreviousState.Value != types.StateValueOk {
			t.Fatalf("changes %+v", r.seen())
		}

		pass(time.Minute)

		if n := len(r.seen()); n != 3 || r.seen()[2].State.Value != types.StateValueOk {
			t.Errorf("changes %+v", r.seen())
		}

		var unknown *types.ResourceNotFound
		if err := set("gone", types.StateValueAlarm); !errors.As(err, &unknown) {
			t.Errorf("unknown alarm: %v", err)
		}

		if err := set("a", "RINGING"); code(err) != "ValidationError" {
			t.Errorf("unknown state: %v", err)
		}
	})
}

func TestPutMetricAlarm_KeepsTheState(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		for _, threshold := range []float64{5, 0.5} {
			in := errorAlarm("a")

			in.Threshold = &threshold
			if err := r.PutAlarm(in); err != nil {
				t.Fatal(err)
			}

			for range 3 {
				r.count("5XXError", 1)
				pass(time.Minute)
			}

			pass(time.Second)
		}

		var got []types.StateValue
		for _, change := range r.seen() {
			got = append(got, change.State.Value)
		}

		if want := []types.StateValue{types.StateValueOk, types.StateValueAlarm}; !slices.Equal(got,
			want) {
			t.Errorf("changes %v, want %v", got, want)
		}
	})
}

func TestDescribeAlarms_Filters(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		for _, name := range []string{"shop-b", "shop-a", "shop-c", "other"} {
			if err := r.PutAlarm(errorAlarm(name)); err != nil {
				t.Fatal(err)
			}
		}

		if _, err := r.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("shop-c"), StateValue: types.StateValueAlarm, StateReason: aws.String("x")}); err != nil {
			t.Fatal(err)
		}

		for name, c := range map[string]struct {
			in   cloudwatch.DescribeAlarmsInput
			want []string
		}{
			"all, page by page": {cloudwatch.DescribeAlarmsInput{MaxRecords: aws.Int32(3)},
				[]string{"other", "shop-a", "shop-b", "shop-c"}},
			"names": {cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"shop-a", "gone"}},
				[]string{"shop-a"}},
			"prefix": {cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("shop-")},
				[]string{"shop-a", "shop-b", "shop-c"}},
			"state": {cloudwatch.DescribeAlarmsInput{StateValue: types.StateValueAlarm},
				[]string{"shop-c"}},
			"composite": {cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm}}, nil},
		} {
			var got []string

			for pages := cloudwatch.NewDescribeAlarmsPaginator(r, &c.in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}

				for _, a := range page.MetricAlarms {
					got = append(got, *a.AlarmName)
				}
			}

			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}

		if _, err := r.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"other", "gone"}}); code(err) != "ResourceNotFound" || len(r.Alarms()) != 4 {
			t.Errorf("one of two unknown: %v", err)
		}

		if _, err := r.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"other", "shop-a"}}); err != nil || len(r.Alarms()) != 2 {
			t.Errorf("deleted: %v, left %v", err, r.Alarms())
		}
	})
}

func TestPutMetricAlarm_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cloudwatch.PutMetricAlarmInput)
		want   string
	}{
		"period": {func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(5) },
			"10, 20, 30"},
		"no threshold": {func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = nil },
			"Threshold"},
		"datapoints":         {func(in *cloudwatch.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(4) }, "DatapointsToAlarm"},
		"treatment":          {func(in *cloudwatch.PutMetricAlarmInput) { in.TreatMissingData = aws.String("guess") }, "guess"},
		"anomaly comparison": {func(in *cloudwatch.PutMetricAlarmInput) { in.ComparisonOperator = "LessThanLowerThreshold" }, "LessThanLowerThreshold"},
		"no statistic": {func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = "" },
			"Statistic"},
		"too long": {func(in *cloudwatch.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(1441) },
			"86400"},
		"two kinds of metric": {func(in *cloudwatch.PutMetricAlarmInput) {
			in.Metrics = []types.MetricDataQuery{metric("m", "Count", "Sum", 60)}
		}, "MetricName and Metrics"},
		"two that return data": {func(in *cloudwatch.PutMetricAlarmInput) {
			*in = cloudwatch.PutMetricAlarmInput{AlarmName: in.AlarmName,
				EvaluationPeriods: in.EvaluationPeriods, Threshold: in.Threshold,
				ComparisonOperator: in.ComparisonOperator,
				Metrics:            []types.MetricDataQuery{metric("m", "Count", "Sum", 60), math1("e", "m")}}
		}, "Exactly one element"},
	} {
		run(t, func(t *testing.T, r *rig) {
			in := errorAlarm("a")
			c.change(in)

			if _, err := r.PutMetricAlarm(t.Context(), in); code(err) != "ValidationError" ||
				!strings.Contains(err.Error(), c.want) || len(r.Alarms()) != 0 {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
