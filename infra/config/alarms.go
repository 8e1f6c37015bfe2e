package config

import (
	"fmt"
	"strings"
	"time"

	sm "lockstep/statemachine"
)

// Alarm is a CloudWatch alarm of one environment. It breaches when the expression over its metrics
// exceeds the threshold in one of the last Periods. Missing data is not a breach.
type Alarm struct {
	Name, Description string
	Environment       sm.Environment
	Expression        string
	Metrics           []Metric
	Threshold         float64
	Periods           int
	Period            time.Duration
}

// Properties are the alarm's parameters, under the names that both CloudWatch's API and
// CloudFormation give them.
func (a Alarm) Properties() map[string]any {
	queries := []any{map[string]any{
		"Id": "judged", "Expression": a.Expression, "Label": a.Description, "ReturnData": true,
	}}
	for _, m := range a.Metrics {
		var dimensions []any
		for _, d := range m.Dimensions {
			dimensions = append(dimensions, map[string]any{"Name": d[0], "Value": d[1]})
		}

		queries = append(queries, map[string]any{
			"Id": m.ID, "ReturnData": false, "MetricStat": map[string]any{
				"Stat": m.Stat, "Period": int(a.Period.Seconds()), "Metric": map[string]any{
					"Namespace": m.Namespace, "MetricName": m.Name, "Dimensions": dimensions,
				},
			},
		})
	}

	return map[string]any{
		"AlarmName": a.Name, "AlarmDescription": a.Description, "Metrics": queries,
		"Threshold": a.Threshold, "ComparisonOperator": "GreaterThanThreshold",
		"EvaluationPeriods": a.Periods, "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching",
	}
}

// Metric is a CloudWatch metric, with its id in the alarm's expression.
type Metric struct {
	ID, Namespace, Name, Stat string
	Dimensions                [][2]string
}

// SiteMetrics is the id of a site bucket's request metrics.
const SiteMetrics = "EntireBucket"

// The kinds of alarms of every environment.
const (
	APIErrors = "api-5xx"
	Latency   = "api-p99"
	Worse     = "worse"
	SiteError = "site-5xx"
)

// late is how late a metric arrives in CloudWatch at most: it takes one to three minutes.
const late = 3 * time.Minute

// AlarmKinds lists the kinds of alarms of every environment.
func AlarmKinds() []string { return []string{APIErrors, Latency, Worse, SiteError} }

// AlarmName is the name of an environment's alarm.
func AlarmName(app string, e sm.Environment, kind string) string {
	return fmt.Sprintf("%s-%s-%s", app, e, kind)
}

// FunctionAlarmName is the name of a function's alarm in one environment, or of its alias live.
func FunctionAlarmName(app string, e sm.Environment, function string) string {
	return AlarmName(app, e, "function-"+function)
}

// AllAlarms are the alarms of both environments and of all functions. sites are the names of the
// site buckets.
func (c Config) AllAlarms(sites map[sm.Environment]string) []Alarm {
	var all []Alarm
	for _, e := range sm.Environments() {
		all = append(all, c.AlarmsOf(e, sites[e])...)
	}

	for _, f := range c.Functions {
		all = append(all, c.FunctionAlarms(f)...)
	}

	return all
}

// AlarmsOf are an environment's alarms, one of each kind. They do not breach where requests are few
// or data is missing: the verdict at the end of a bake asks for evidence. FILL is needed because
// CloudWatch has no data points for what never happened.
func (c Config) AlarmsOf(e sm.Environment, siteBucket string) []Alarm {
	a := c.Alarms
	enough := fmt.Sprintf("calls >= %d", a.MinimumRequests)
	calls, failed := c.api("calls", "Count", "Sum", e), c.api("failed", "5XXError", "Sum", e)
	alarm := func(kind, description, expression string, threshold float64, metrics ...Metric) Alarm {
		name, period := AlarmName(c.App, e, kind), a.Period.Std()
		return Alarm{name, description, e, expression, metrics, threshold, 1, period}
	}

	return []Alarm{
		alarm(APIErrors, "percent of the calls of "+e.Stage()+
			" that the API answered with 5xx, unless the other environment does as badly",
			fmt.Sprintf("IF(%s AND 100 * FILL(otherFailed, 0) <= %g * FILL(others, 0), 100 * FILL(failed, "+
				"0) / calls, 0)", enough, a.Errors), a.Errors,
			calls, failed, c.api("others", "Count", "Sum", e.Other()), c.api("otherFailed", "5XXError",
				"Sum", e.Other())),
		alarm(Latency, "milliseconds within which "+e.Stage()+
			" answers 99 of 100 calls, unless the other environment is as slow",
			fmt.Sprintf("IF(%s AND FILL(otherP99, 0) <= %d, p99, 0)", enough,
				a.Latency.Std().Milliseconds()), float64(a.Latency.Std().Milliseconds()),
			calls, c.api("p99", "Latency", "p99", e), c.api("otherP99", "Latency", "p99", e.Other())),
		alarm(Worse, "percentage points by which more calls fail than in the other environment over the "+
			"same minutes, where it is no chance",
			worse(a.MinimumRequests), a.Worse,
			calls, failed, c.api("others", "Count", "Sum", e.Other()), c.api("otherFailed", "5XXError",
				"Sum", e.Other())),
		// The buckets count requests per environment. CloudFront would count both together, and in
		// us-east-1 only.
		alarm(SiteError, "percent of the edge's requests that the site bucket answered with 5xx",
			fmt.Sprintf("IF(%s, 100 * FILL(failed, 0) / calls, 0)", enough), a.Errors,
			site("calls", "AllRequests", siteBucket), site("failed", "5xxErrors", siteBucket)),
	}
}

// worse is the expression for how many percentage points more calls fail here than in the other
// environment, and 0 where that may be chance. By chance, given its share of the calls, this
// environment would have so many of a period's failures less than once in 22,000 periods: by
// Chernoff's bound, with probability e to the -10th. Without that condition a single failure among
// few calls would breach. https://en.wikipedia.org/wiki/Chernoff_bound
func worse(minimum int) string {
	const (
		mine, other = "FILL(failed, 0)", "FILL(otherFailed, 0)"
		// A thousandth of a failure avoids the logarithm of zero.
		surprise = "IS * LOG((IS + 0.001) * (calls + others) / ((" + mine + " + " + other +
			" + 0.001) * OF))"
	)

	of := func(is, of string) string {
		return strings.NewReplacer("IS", is, "OF", of).Replace(surprise)
	}

	return fmt.Sprintf("IF(calls >= %d AND others >= %d AND %s * others > %s * calls AND %s + %s > "+
		"10, 100 * %s / calls - 100 * %s / others, 0)",
		minimum, minimum, mine, other, of(mine, "calls"), of(other, "others"), mine, other)
}

// FunctionAlarms are one function's alarms: in each environment and, if events call it, for its
// alias live.
func (c Config) FunctionAlarms(f Function) []Alarm {
	list := []Alarm{c.functionAlarm(f, sm.A), c.functionAlarm(f, sm.B)}
	if len(f.Events) > 0 {
		list = append(list, c.functionAlarm(f, sm.LiveAlias))
	}

	return list
}

// functionAlarm breaches on the number of a function's failed calls, if their share of its calls
// exceeds Alarms.Errors too: a number alone would breach for every function with many calls.
//
// A throttled function may have no calls at all, so a minute without calls looks like one that is
// not measured yet, which FILL makes 0. The alarm therefore evaluates as many periods as metrics
// may be late.
func (c Config) functionAlarm(f Function, e sm.Environment) Alarm {
	return Alarm{
		FunctionAlarmName(c.App, e, f.Name), "calls of " + f.Name + " in " + string(e) +
			" that failed or were throttled", e,
		fmt.Sprintf("IF(100 * (FILL(failed, 0) + FILL(throttled, 0)) > %g * (FILL(calls, 0) + "+
			"FILL(throttled, 0)), FILL(failed, 0) + FILL(throttled, 0), 0)", c.Alarms.Errors),
		[]Metric{c.function("failed", "Errors", f, e), c.function("throttled", "Throttles", f, e),
			c.function("calls", "Invocations", f, e)}, c.Alarms.FunctionErrors,
		1 + int((late+c.Alarms.Period.Std()-1)/c.Alarms.Period.Std()), c.Alarms.Period.Std(),
	}
}

func (c Config) api(id, name, stat string, e sm.Environment) Metric {
	return Metric{id, "AWS/ApiGateway", name, stat,
		[][2]string{{"ApiName", c.App}, {"Stage", e.Stage()}}}
}

func site(id, name, bucket string) Metric {
	return Metric{id, "AWS/S3", name, "Sum", [][2]string{{"BucketName", bucket},
		{"FilterId", SiteMetrics}}}
}

func (c Config) function(id, name string, f Function, e sm.Environment) Metric {
	lambda := c.Lambda(f)

	return Metric{id, "AWS/Lambda", name, "Sum",
		[][2]string{{"FunctionName", lambda}, {"Resource", lambda + ":" + e.Alias()}}}
}
