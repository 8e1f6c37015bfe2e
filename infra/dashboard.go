package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// dashboard shows a release in progress: its event history, the weight, the calls, failures and
// latency of both environments, and their alarms.
func (l *Lockstep) dashboard() {
	wide, half := jsii.Number(24), jsii.Number(12)

	var (
		calls, failures, latency []awscloudwatch.IMetric
		alarms                   []interfacesawscloudwatch.IAlarmRef
	)

	for _, e := range sm.Environments() {
		calls = append(calls, l.graphed("Count", "Sum", e))
		failures = append(failures, l.graphed("5XXError", "Sum", e))

		latency = append(latency, l.graphed("Latency", "p99", e))
		for _, kind := range config.AlarmKinds() {
			name := config.AlarmName(l.config.App, e, kind)
			alarms = append(alarms, awscloudwatch.Alarm_FromAlarmArn(l.scope, jsii.String("Shown-"+name),
				jsii.String(arn("cloudwatch", "alarm:"+name))))
		}
	}

	weight := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:  jsii.String(metricsNamespace),
		MetricName: jsii.String("Weight-" + l.config.App), Statistic: jsii.String("Maximum"),
		Label: jsii.String("weight of active, in basis points"),
	})
	board := awscloudwatch.NewDashboard(l.scope, jsii.String("Dashboard"),
		&awscloudwatch.DashboardProps{DashboardName: l.inRegion()})
	board.AddWidgets(awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
		Title: jsii.String("What happened"), LogGroupNames: jsii.Strings(l.transitionsLog()),
		Width: wide, Height: jsii.Number(6),
		QueryLines: jsii.Strings("fields @timestamp, detail.release, detail.state, detail.weight, "+
			"detail.outcome, detail.text", "sort @timestamp desc", "limit 50"),
	}))
	board.AddWidgets(
		awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Weight"), Left: &[]awscloudwatch.IMetric{weight}, Width: half,
			LeftYAxis: &awscloudwatch.YAxisProps{
				Min: jsii.Number(0), Max: jsii.Number(sm.FullWeight),
			},
		}),
		awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Calls"), Left: &calls, Width: half,
		}),
	)
	board.AddWidgets(
		awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Calls that failed"), Left: &failures, Width: half,
		}),
		awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String("Latency, p99"), Left: &latency, Width: half,
		}),
	)
	board.AddWidgets(awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Alarms"), Alarms: &alarms, Width: wide,
	}))
}

func (l *Lockstep) graphed(name, stat string, e sm.Environment) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/ApiGateway"), MetricName: &name, Statistic: &stat,
		Label:         jsii.String("environment " + string(e)),
		DimensionsMap: &map[string]*string{"ApiName": &l.config.App, "Stage": jsii.String(e.Stage())},
	})
}
