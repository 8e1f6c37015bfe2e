package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// alarms judge each environment. Too few requests say nothing, and no data is not what rings: the verdict at
// the end of a bake asks for evidence. FILL, because what never happened has no data points.
func (l *Lockstep) alarms() {
	a := l.config.Alarms
	for _, e := range sm.Environments() {
		l.alarm(l.scope, config.AlarmName(l.config.App, e, config.APIErrors), "percent of the calls of "+e.Stage()+" that the API answered with 5xx",
			fmt.Sprintf("IF(calls >= %d, 100 * FILL(failed, 0) / calls, 0)", a.MinimumRequests), a.Errors,
			l.apiMetric("calls", "Count", "Sum", e), l.apiMetric("failed", "5XXError", "Sum", e))
		l.alarm(l.scope, config.AlarmName(l.config.App, e, config.Latency), "milliseconds within which "+e.Stage()+" answers 99 of 100 calls",
			fmt.Sprintf("IF(calls >= %d, p99, 0)", a.MinimumRequests), float64(a.Latency.Std().Milliseconds()),
			l.apiMetric("calls", "Count", "Sum", e), l.apiMetric("p99", "Latency", "p99", e))
		l.alarm(l.scope, config.AlarmName(l.config.App, e, config.Worse), "percentage points by which more calls fail than in the other environment over the same minutes",
			fmt.Sprintf("IF(calls >= %d AND others >= %d, 100 * FILL(failed, 0) / calls - 100 * FILL(otherFailed, 0) / others, 0)", a.MinimumRequests, a.MinimumRequests), a.Worse,
			l.apiMetric("calls", "Count", "Sum", e), l.apiMetric("failed", "5XXError", "Sum", e),
			l.apiMetric("others", "Count", "Sum", e.Other()), l.apiMetric("otherFailed", "5XXError", "Sum", e.Other()))
		// CloudFront counts for all environments in one, and in us-east-1 only; the buckets count for each.
		l.alarm(l.scope, config.AlarmName(l.config.App, e, config.SiteError), "percent of the edge's requests that the site bucket answered with 5xx",
			fmt.Sprintf("IF(calls >= %d, 100 * FILL(failed, 0) / calls, 0)", a.MinimumRequests), a.Errors,
			l.siteMetric("calls", "AllRequests", e), l.siteMetric("failed", "5xxErrors", e))
	}
}

// functionAlarm rings for one function in one environment.
func (l *Lockstep) functionAlarm(scope constructs.Construct, f config.Function, e sm.Environment) {
	l.alarm(scope, config.FunctionAlarmName(l.config.App, e, f.Name), "calls of "+f.Name+" in "+string(e)+" that failed or were throttled",
		"FILL(failed, 0) + FILL(throttled, 0)", l.config.Alarms.FunctionErrors,
		l.functionMetric("failed", "Errors", f, e), l.functionMetric("throttled", "Throttles", f, e))
}

// alarm rings when the expression exceeds the threshold in one period.
func (l *Lockstep) alarm(scope constructs.Construct, name, description, expression string, threshold float64, metrics ...any) {
	queries := append([]any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: jsii.String("judged"), Expression: &expression, Label: &description, ReturnData: true}}, metrics...)
	awscloudwatch.NewCfnAlarm(scope, jsii.String("Alarm-"+name), &awscloudwatch.CfnAlarmProps{
		AlarmName: &name, AlarmDescription: &description, Metrics: queries, Threshold: &threshold,
		ComparisonOperator: jsii.String("GreaterThanThreshold"), EvaluationPeriods: jsii.Number(1), TreatMissingData: jsii.String("notBreaching"),
	})
}

func (l *Lockstep) apiMetric(id, name, stat string, e sm.Environment) any {
	return l.metric(id, "AWS/ApiGateway", name, stat, "ApiName", l.settings.APIName, "Stage", e.Stage())
}

func (l *Lockstep) siteMetric(id, name string, e sm.Environment) any {
	return l.metric(id, "AWS/S3", name, "Sum", "BucketName", l.settings.SiteBuckets[e], "FilterId", siteMetrics)
}

func (l *Lockstep) functionMetric(id, name string, f config.Function, e sm.Environment) any {
	lambda := l.config.Lambda(f)
	return l.metric(id, "AWS/Lambda", name, "Sum", "FunctionName", lambda, "Resource", lambda+":"+e.Alias())
}

func (l *Lockstep) metric(id, namespace, name, stat string, dimensions ...string) any {
	var list []any
	for i := 0; i < len(dimensions); i += 2 {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: &dimensions[i], Value: &dimensions[i+1]})
	}
	return &awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: &id, ReturnData: false, MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
		Metric: &awscloudwatch.CfnAlarm_MetricProperty{Namespace: &namespace, MetricName: &name, Dimensions: list},
		Period: jsii.Number(l.config.Alarms.Period.Std().Seconds()), Stat: &stat,
	}}
}
