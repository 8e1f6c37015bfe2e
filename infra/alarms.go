package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// alarms judge each environment.
func (l *Lockstep) alarms() {
	for _, e := range sm.Environments() {
		for _, a := range l.config.AlarmsOf(e, l.settings.SiteBuckets[e]) {
			l.alarm(l.scope, a)
		}
	}
}

func (l *Lockstep) alarm(scope constructs.Construct, a config.Alarm) {
	queries := []any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: jsii.String("judged"),
		Expression: &a.Expression, Label: &a.Description, ReturnData: true}}
	for _, m := range a.Metrics {
		queries = append(queries, l.metric(m))
	}

	awscloudwatch.NewCfnAlarm(scope, jsii.String("Alarm-"+a.Name), &awscloudwatch.CfnAlarmProps{
		AlarmName: &a.Name, AlarmDescription: &a.Description, Metrics: queries, Threshold: &a.Threshold,
		ComparisonOperator: jsii.String("GreaterThanThreshold"), EvaluationPeriods: jsii.Number(a.Periods), DatapointsToAlarm: jsii.Number(1), TreatMissingData: jsii.String("notBreaching"),
	})
}

func (l *Lockstep) metric(m config.Metric) any {
	var dimensions []any
	for _, d := range m.Dimensions {
		dimensions = append(dimensions, &awscloudwatch.CfnAlarm_DimensionProperty{Name: &d[0],
			Value: &d[1]})
	}

	return &awscloudwatch.CfnAlarm_MetricDataQueryProperty{Id: &m.ID, ReturnData: false,
		MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
			Metric: &awscloudwatch.CfnAlarm_MetricProperty{Namespace: &m.Namespace, MetricName: &m.Name,
				Dimensions: dimensions},
			Period: jsii.Number(l.config.Alarms.Period.Std().Seconds()), Stat: &m.Stat,
		}}
}
