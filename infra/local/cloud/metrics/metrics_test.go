package metrics

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud/wire"
)

type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w.Result(), nil
}

// rig is a service, its client, and the state changes that it emitted.
type rig struct {
	*Service
	*cloudwatch.Client
	mu      sync.Mutex
	changes []stateChange
}

func (r *rig) seen() []stateChange {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.changes)
}

func run(t *testing.T, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{}

		r.Service = New(func(source, detailType string, resources []string, detail any) {
			change := *detail.(*stateChange)
			if source != "aws.cloudwatch" || detailType != "CloudWatch Alarm State Change" ||
				!slices.Equal(resources, []string{wire.ARN("cloudwatch", "alarm:"+change.AlarmName)}) {
				t.Errorf("event %s %q of %q", source, detailType, resources)
			}

			r.mu.Lock()
			defer r.mu.Unlock()

			r.changes = append(r.changes, change)
		})
		defer r.Close()

		r.Client = cloudwatch.New(cloudwatch.Options{
			Region: wire.Region, BaseEndpoint: aws.String("http://cloud"),
			HTTPClient:  &http.Client{Transport: inProcess{r.Service}},
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		})
		test(t, r)
	})
}

func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}

	return api.ErrorCode()
}

var stage = map[string]string{"ApiName": "shop", "Stage": "api-a"}

func metric(id, name, stat string, period int32) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Stat: &stat, Period: &period,
		Metric: &types.Metric{
			Namespace: aws.String("AWS/ApiGateway"), MetricName: &name,
			Dimensions: []types.Dimension{{Name: aws.String("Stage"), Value: aws.String("api-a")},
				{Name: aws.String("ApiName"), Value: aws.String("shop")}},
		}}}
}

func math1(id, expression string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, Expression: &expression}
}

func (r *rig) count(name string, value float64) {
	r.Put("AWS/ApiGateway", name, stage, value, "Count")
}

func (r *rig) get(t *testing.T, from, to time.Time,
	queries ...types.MetricDataQuery) []types.MetricDataResult {
	t.Helper()

	out, err := r.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: &from, EndTime: &to, MetricDataQueries: queries,
		ScanBy: types.ScanByTimestampAscending,
	})
	if err != nil {
		t.Fatal(err)
	}

	return out.MetricDataResults
}

func TestGetMetricData_Statistics(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		start := time.Now()

		for i := range 100 {
			r.Put("AWS/ApiGateway", "Latency", stage, float64(i+1), "Milliseconds")
		}

		pass(10 * time.Second)
		r.Put("AWS/ApiGateway", "Latency", stage, 7, "Milliseconds")
		pass(10 * time.Second)

		for stat, want := range map[string]float64{"Sum": 5050, "Average": 50.5, "SampleCount": 100,
			"Minimum": 1, "Maximum": 100, "p50": 50, "p99": 99, "p99.9": 100, "p0": 1, "p100": 100} {
			got := r.get(t, start, time.Now(), metric("m1", "Latency", stat, 10))[0]
			if len(got.Values) != 2 || math.Abs(got.Values[0]-want) > want/50 ||
				(stat[0] == 'p' && got.Values[1] != 7) || got.StatusCode != types.StatusCodeComplete ||
				*got.Label != "Latency" {
				t.Errorf("%s = %+v, want %v", stat, got.Values, want)
			}

			if !got.Timestamps[0].Equal(start) || !got.Timestamps[1].Equal(start.Add(10*time.Second)) {
				t.Errorf("%s at %v", stat, got.Timestamps)
			}
		}

		if sum := r.Sum("AWS/ApiGateway", "Latency", stage, start,
			start.Add(10*time.Second)); sum != 5050 {
			t.Errorf("Sum = %v", sum)
		}

		if sum := r.Sum("AWS/ApiGateway", "Latency", map[string]string{"ApiName": "shop"}, start,
			time.Now()); sum != 0 {
			t.Errorf("Sum of another metric = %v", sum)
		}

		wide := r.get(t, start, time.Now(), metric("m1", "Latency", "Sum", 60),
			metric("m2", "Absent", "Sum", 60))
		if !slices.Equal(wide[0].Values, []float64{5057}) || len(wide[1].Values) != 0 {
			t.Errorf("per minute %v and %v", wide[0].Values, wide[1].Values)
		}
	})
}

func TestGetMetricData_KeepsMinutesOfWhatIsOld(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		start := time.Now()

		for range 24 * 60 {
			r.count("Count", 2)
			pass(time.Minute)
		}

		r.count("Count", 1)

		got := r.get(t, start, time.Now(), metric("m1", "Count", "Sum", 3600))[0]
		if len(got.Values) != 24 || got.Values[0] != 120 || got.Values[23] != 120 {
			t.Errorf("per hour %v", got.Values)
		}

		if n := len(r.series[seriesKey("AWS/ApiGateway", "Count", stage)].Seconds); n > 181 {
			t.Errorf("%d buckets of a second kept", n)
		}
	})
}

func TestGetMetricData_Math(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		start := time.Now()

		for _, v := range []struct{ count, errors float64 }{{10, 1}, {20, 0}, {0, 0}, {40, 10}} {
			if v.count > 0 {
				r.count("Count", v.count)
			}

			if v.errors > 0 {
				r.count("5XXError", v.errors)
			}

			pass(time.Minute)
		}

		for expression, want := range map[string][]float64{
			"errors / count":                                      {0.1, 0.25},
			"100 * FILL(errors, 0) / count":                       {10, 0, 25},
			"FILL(errors, REPEAT)":                                {1, 1, 1, 10},
			"IF(count > 15, FILL(errors, 0) / count, -1)":         {-1, 0, 0.25},
			"IF(count > 15, count)":                               {20, 40},
			"SUM([errors, count])":                                {11, 20, 50},
			"count / SUM(count)":                                  {1.0 / 7, 2.0 / 7, 4.0 / 7},
			"(count - 1) * -(2 + 3)":                              {-45, -95, -195},
			"count >= 20 AND count < 40":                          {0, 1, 0},
			"count == 10 || count != 20":                          {1, 0, 1},
			"count / FILL(errors, 0)":                             {10, 4},
			"LOG(FILL(errors, 0) + 1) - LOG(1)":                   {math.Log(2), 0, 0, math.Log(11)},
			"rate * 2":                                            {0.2, 0.5},
			"IF(SUM(count) > 60, errors, count)":                  {1, 10},
			"1.5e1 + FILL(count, 0) - FILL(count,0)":              {15, 15, 15, 15},
			"IF(FILL(count, 0) == 0, 1, IF(count > 15, 1e0, 0))":  {0, 1, 1, 1},
			"FILL(SUM([errors, errors]), 0) <= 2 && 1":            {1, 1, 1, 0},
			"IF(FILL(errors, 0), 1, 0) + IF(0, 5, 7) + (1 > 2)*9": {8, 7, 7, 8},
		} {
			hidden := []types.MetricDataQuery{metric("errors", "5XXError", "Sum", 60),
				metric("count", "Count", "Sum", 60), math1("rate", "errors/count")}
			for i := range hidden {
				hidden[i].ReturnData = aws.Bool(false)
			}

			got := r.get(t, start, time.Now(), append(hidden, math1("e1", expression))...)
			if len(got) != 1 || !slices.Equal(got[0].Values, want) || *got[0].Id != "e1" {
				t.Errorf("%s = %+v, want %v", expression, got, want)
			}
		}
	})
}

func TestGetMetricData_Refused(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		now, hour := time.Now(), time.Now().Add(-time.Hour)

		m := metric("m1", "Count", "Sum", 60)
		for name, c := range map[string]struct {
			in   []types.MetricDataQuery
			want string
		}{
			"none":       {nil, "0 queries"},
			"period":     {[]types.MetricDataQuery{metric("m1", "Count", "Sum", 15)}, "Period"},
			"statistic":  {[]types.MetricDataQuery{metric("m1", "Count", "Mean", 60)}, "Mean"},
			"percentile": {[]types.MetricDataQuery{metric("m1", "Count", "p101", 60)}, "p101"},
			"trimmed count": {[]types.MetricDataQuery{metric("m1", "Count", "TC(9:5)", 60)},
				"TC(9:5)"},
			"trimmed to nothing": {[]types.MetricDataQuery{metric("m1", "Count", "TC(:)", 60)}, "TC(:)"},
			"id":                 {[]types.MetricDataQuery{metric("M1", "Count", "Sum", 60)}, "M1"},
			"id twice":           {[]types.MetricDataQuery{m, m}, "twice"},
			"unknown id":         {[]types.MetricDataQuery{m, math1("e1", "m1 + m2")}, "m2"},
			"circle": {[]types.MetricDataQuery{m, math1("e1", "e2 + m1"), math1("e2", "e1")},
				"itself"},
			"two periods": {[]types.MetricDataQuery{m, metric("m2", "Count", "Sum", 300),
				math1("e1", "m1 + m2")}, "periods"},
			"number":                {[]types.MetricDataQuery{m, math1("e1", "SUM(m1)")}, "time series"},
			"unknown function":      {[]types.MetricDataQuery{m, math1("e1", "RATE(m1)")}, "RATE"},
			"unfinished":            {[]types.MetricDataQuery{m, math1("e1", "m1 +")}, "expected a number"},
			"unbalanced":            {[]types.MetricDataQuery{m, math1("e1", "(m1")}, "expected ')'"},
			"left over":             {[]types.MetricDataQuery{m, math1("e1", "m1 m1")}, "expected the end"},
			"what it does not know": {[]types.MetricDataQuery{m, math1("e1", "m1 % 2")}, "%"},
		} {
			_, err := r.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: &hour,
				EndTime: &now, MetricDataQueries: c.in})
			if c.in == nil { // the SDK's own check wants a list
				_, err = r.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: &hour,
					EndTime: &now, MetricDataQueries: []types.MetricDataQuery{}})
			}

			if code(err) != "ValidationError" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}

		if _, err := r.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: &now,
			EndTime: &hour, MetricDataQueries: []types.MetricDataQuery{m}}); code(err) != "ValidationError" {
			t.Errorf("end before start: %v", err)
		}
	})
}

func TestPutMetricData(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		pass(30 * time.Second) // half a minute: standard resolution forgets it

		start := time.Now().Truncate(time.Minute)

		data := []types.MetricDatum{
			{MetricName: aws.String("Depth"), Value: aws.Float64(3)},
			{MetricName: aws.String("Depth"), Values: []float64{1, 2}, Counts: []float64{10, 20}},
			{MetricName: aws.String("Depth"), StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(2), Sum: aws.Float64(10), Minimum: aws.Float64(4), Maximum: aws.Float64(6)}},
			{MetricName: aws.String("Fine"), Value: aws.Float64(1), StorageResolution: aws.Int32(1),
				Unit: types.StandardUnitCount},
		}
		for range 500 { // enough to be sent compressed
			data = append(data, types.MetricDatum{MetricName: aws.String("Bulk"), Value: aws.Float64(2),
				Dimensions: []types.Dimension{{Name: aws.String("d"), Value: aws.String("v")}}})
		}

		if _, err := r.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: data}); err != nil {
			t.Fatal(err)
		}

		read := func(name, stat string, period int32) ([]time.Time, []float64) {
			q := metric("m1", name, stat, period)

			q.MetricStat.Metric.Namespace, q.MetricStat.Metric.Dimensions = aws.String("Shop"), nil
			if name == "Bulk" {
				q.MetricStat.Metric.Dimensions = []types.Dimension{{Name: aws.String("d"),
					Value: aws.String("v")}}
			}

			got := r.get(t, start, time.Now().Add(time.Minute), q)[0]

			return got.Timestamps, got.Values
		}
		for stat, want := range map[string][]float64{"Sum": {63}, "SampleCount": {33}, "Minimum": {1},
			"Maximum": {6}, "p50": {}} {
			if _, got := read("Depth", stat, 60); !slices.Equal(got, want) {
				t.Errorf("%s = %v, want %v", stat, got, want)
			}
		}

		if at, got := read("Depth", "Sum", 10); !slices.Equal(got, []float64{63}) || !at[0].Equal(start) {
			t.Errorf("standard resolution: %v at %v", got, at)
		}

		if at, got := read("Fine", "Sum", 10); !slices.Equal(got, []float64{1}) ||
			!at[0].Equal(start.Add(30*time.Second)) {
			t.Errorf("high resolution: %v at %v", got, at)
		}

		if _, got := read("Bulk", "Sum", 60); !slices.Equal(got, []float64{1000}) {
			t.Errorf("compressed: %v", got)
		}

		for name, c := range map[string]types.MetricDatum{
			"no value": {MetricName: aws.String("Depth")},
			"two kinds of value": {MetricName: aws.String("Depth"), Value: aws.Float64(1),
				Values: []float64{1}},
			"more counts than values": {MetricName: aws.String("Depth"), Values: []float64{1},
				Counts: []float64{1, 2}},
			"resolution": {MetricName: aws.String("Depth"), Value: aws.Float64(1),
				StorageResolution: aws.Int32(5)},
			"too old": {MetricName: aws.String("Depth"), Value: aws.Float64(1),
				Timestamp: aws.Time(start.AddDate(0, 0, -15))},
			"dimension without a name": {MetricName: aws.String("Depth"), Value: aws.Float64(1),
				Dimensions: []types.Dimension{{Name: aws.String(""), Value: aws.String("v")}}},
		} {
			_, err := r.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: []types.MetricDatum{c}})

			var bad *types.InvalidParameterValueException
			if !errors.As(err, &bad) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Newer versions of the aws CLI may use JSON, older ones use Query.
func TestProtocols_JSONAndQuery(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		if err := r.PutAlarm(errorAlarm("a & b")); err != nil {
			t.Fatal(err)
		}

		send := func(header http.Header, body string) (int, string) {
			w := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			request.Header = header
			r.ServeHTTP(w, request)

			return w.Code, w.Body.String()
		}
		jsonCall := func(operation string) http.Header {
			return http.Header{"X-Amz-Target": {"GraniteServiceVersion20100801." + operation},
				"Content-Type": {"application/x-amz-json-1.0"}}
		}
		status, body := send(jsonCall("DescribeAlarms"), `{"AlarmNames":["a & b"]}`)

		var got struct {
			MetricAlarms []struct {
				AlarmName             string
				Threshold             float64
				StateUpdatedTimestamp float64
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 ||
			len(got.MetricAlarms) != 1 || got.MetricAlarms[0].Threshold != 5 ||
			got.MetricAlarms[0].StateUpdatedTimestamp != epoch(time.Now()) {
			t.Errorf("JSON: %d %s", status, body)
		}

		if status, body := send(jsonCall("SetAlarmState"),
			`{"AlarmName":"gone","StateValue":"ALARM","StateReason":"x"}`); status != 404 ||
			!strings.Contains(body, `"__type":"ResourceNotFound"`) {
			t.Errorf("JSON refusal: %d %s", status, body)
		}

		form := url.Values{
			"Action": {"DescribeAlarms"}, "Version": {"2010-08-01"},
			"AlarmNames.member.1": {"other"}, "AlarmNames.member.2": {"a & b"}, "MaxRecords": {"10"},
		}
		status, body = send(http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
			form.Encode())

		var answer struct {
			XMLName xml.Name
			Alarms  []struct {
				AlarmName  string
				Dimensions []struct {
					Name, Value string
				} `xml:"Dimensions>member"`
				StateUpdatedTimestamp time.Time
				ActionsEnabled        bool
			} `xml:"DescribeAlarmsResult>MetricAlarms>member"`
		}
		if err := xml.Unmarshal([]byte(body), &answer); err != nil || status != 200 ||
			answer.XMLName.Local != "DescribeAlarmsResponse" ||
			len(answer.Alarms) != 1 || answer.Alarms[0].AlarmName != "a & b" ||
			len(answer.Alarms[0].Dimensions) != 2 ||
			!answer.Alarms[0].StateUpdatedTimestamp.Equal(time.Now()) || !answer.Alarms[0].ActionsEnabled {
			t.Errorf("Query: %d %s", status, body)
		}

		form = url.Values{
			"Action": {"PutMetricData"}, "Namespace": {"Shop"}, "MetricData.member.1.MetricName": {"Depth"},
			"MetricData.member.1.Value":                     {"2.5"},
			"MetricData.member.1.Dimensions.member.1.Name":  {"d"},
			"MetricData.member.1.Dimensions.member.1.Value": {"v"},
			"MetricData.member.2.MetricName":                {"Depth"},
			"MetricData.member.2.Values.member.1":           {"7"}, "MetricData.member.2.Dimensions": {""},
			"MetricData.member.2.Timestamp": {time.Now().Format(time.RFC3339)},
		}
		if status, body := send(http.Header{}, form.Encode()); status != 200 {
			t.Errorf("Query: %d %s", status, body)
		}

		if a, b := r.Sum("Shop", "Depth", map[string]string{"d": "v"}, time.Now(),
			time.Now().Add(time.Minute)), r.Sum("Shop", "Depth", nil, time.Now(), time.Now().Add(time.Minute)); a != 2.5 || b != 7 {
			t.Errorf("Query put %v and %v", a, b)
		}

		for body, want := range map[string]string{
			"Action=ListDashboards":                        "<Code>InvalidAction</Code>",
			"Action=DescribeAlarms&MaxRecords=many":        "<Code>MalformedInput</Code>",
			"Action=DeleteAlarms&AlarmNames.member.1=gone": "<Code>ResourceNotFound</Code>",
		} {
			if status, got := send(http.Header{}, body); status < 400 || !strings.Contains(got, want) {
				t.Errorf("%s: %d %s", body, status, got)
			}
		}
	})
}

func TestReadBody_BrokenCompression(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("not gzip"))
	r.Header.Set("Content-Encoding", "gzip")

	var refusal *wire.Error
	if _, err := readBody(r); !errors.As(err, &refusal) || refusal.Code != "MalformedInput" {
		t.Errorf("error %v", err)
	}
}

func BenchmarkPut(b *testing.B) {
	s := New(nil)
	for i := range b.N {
		s.Put("AWS/ApiGateway", "Latency", stage, float64(i%1000), "Milliseconds")
	}
}

// pass advances virtual time and waits for everything that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
