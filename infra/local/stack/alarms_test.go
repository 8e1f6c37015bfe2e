package stack

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/metrics"
	sm "lockstep/statemachine"
)

// TestAlarms evaluates what the alarms of b would in a minute.
func TestAlarms(t *testing.T) {
	shop, err := config.Parse([]byte(`{"app":"shop","functions":[{"name":"orders","runtime":"provided.al2023","handler":"bootstrap","events":[{"schedule":"rate(1 hour)"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}

	alarms := map[string]config.Alarm{"function": shop.FunctionAlarms(shop.Functions[0])[1],
		"live": shop.FunctionAlarms(shop.Functions[0])[2]}
	for i, kind := range config.AlarmKinds() {
		alarms[kind] = shop.AlarmsOf(sm.B, "site")[i]
	}

	api := func(b, failedB, a, failedA float64) map[string]float64 {
		return map[string]float64{"Count api-b": b, "5XXError api-b": failedB, "Count api-a": a,
			"5XXError api-a": failedA}
	}

	function := func(calls, failed float64) map[string]float64 {
		return map[string]float64{"Invocations shop-orders:b": calls, "Errors shop-orders:b": failed}
	}
	for name, c := range map[string]struct {
		alarm string
		sums  map[string]float64
		rings bool
	}{
		"one of few calls is chance":      {config.Worse, api(30, 1, 30, 0), false},
		"two of sixty are chance":         {config.Worse, api(60, 2, 1140, 1), false},
		"a fifth of them is not":          {config.Worse, api(60, 12, 1140, 1), true},
		"all of few":                      {config.Worse, api(20, 20, 400, 0), true},
		"an outage of both":               {config.Worse, api(60, 30, 1140, 570), false},
		"worse, but by too little":        {config.Worse, api(15000, 165, 15000, 15), false},
		"three points of many calls":      {config.Worse, api(15000, 465, 15000, 15), true},
		"the other is worse":              {config.Worse, api(600, 0, 600, 60), false},
		"too few calls":                   {config.Worse, api(10, 10, 400, 0), false},
		"thirty failures of 15,000 calls": {"function", function(15000, 30), false},
		"thirty failures of a hundred":    {"function", function(100, 30), true},
		"thirty events of a hundred": {"live",
			map[string]float64{"Invocations shop-orders:live": 100, "Errors shop-orders:live": 30}, true},
		"events do not judge an environment": {"live", function(100, 30), false},
		"a function that nobody calls":       {"function", function(0, 0), false},
		"a twentieth fails, which is borne":  {config.APIErrors, api(100, 5, 0, 0), false},
		"more than a twentieth":              {config.APIErrors, api(100, 6, 0, 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := metrics.New(func(string, string, []string, any) {})
				defer service.Close()

				alarm, began := alarms[c.alarm], time.Now()

				queries := []types.MetricDataQuery{{Id: aws.String("judged"), Expression: &alarm.Expression}}
				for _, m := range alarm.Metrics {
					dimensions := map[string]string{}

					var list []types.Dimension

					for _, d := range m.Dimensions {
						dimensions[d[0]] = d[1]
						list = append(list, types.Dimension{Name: aws.String(d[0]), Value: aws.String(d[1])})
					}

					if n, ok := c.sums[m.Name+" "+m.Dimensions[1][1]]; ok {
						service.Put(m.Namespace, m.Name, dimensions, n, "Count")
					}

					queries = append(queries, types.MetricDataQuery{Id: &m.ID, ReturnData: aws.Bool(false),
						MetricStat: &types.MetricStat{
							Metric: &types.Metric{Namespace: &m.Namespace, MetricName: &m.Name,
								Dimensions: list}, Period: aws.Int32(60), Stat: &m.Stat}})
				}

				time.Sleep(time.Minute)

				client := cloudwatch.NewFromConfig(
					cloud.NewEndpoint(map[string]http.Handler{"monitoring": service}).Config())

				out, err := client.GetMetricData(t.Context(),
					&cloudwatch.GetMetricDataInput{StartTime: &began, EndTime: aws.Time(time.Now()),
						MetricDataQueries: queries})
				if err != nil {
					t.Fatal(err)
				}

				values := out.MetricDataResults[0].Values
				if rings := len(values) > 0 && values[0] > alarm.Threshold; rings != c.rings {
					t.Errorf("%v of %s, and it rings above %g; expected that to be %t", values, alarm.Name,
						alarm.Threshold, c.rings)
				}
			})
		})
	}
}
