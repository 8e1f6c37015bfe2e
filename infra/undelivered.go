package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// deadLetters makes a dead-letter queue. One alarm covers all of them.
func (l *Lockstep) deadLetters(id, name string) awssqs.Queue {
	return awssqs.NewQueue(l.scope, &id, &awssqs.QueueProps{
		QueueName: &name, Encryption: awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL: jsii.Bool(true), RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
}

// failedName is the name of the queue of events at which Signal or Recover failed.
func failedName(app string) string { return config.RuleName(app, "failed") }

// deadLetterNames are the names of all dead-letter queues.
func (l *Lockstep) deadLetterNames(s sm.Settings) []string {
	names := []string{failedName(l.config.App)}
	for _, r := range l.config.Rules(s) {
		names = append(names, undeliveredBy(l.config.App, r))
	}

	if slices.ContainsFunc(l.config.Functions, called) {
		names = append(names, l.undeliveredName())
	}

	return names
}

// undeliveredAlarm notifies people of messages in a dead-letter queue, like an operator's request
// that did not reach Signal. SUM ignores the queues without data, which FILL would count as empty.
// An alarm has room for ten metrics.
func (l *Lockstep) undeliveredAlarm(s sm.Settings) {
	name := config.RuleName(l.config.App, "undelivered")

	var (
		queries []any
		ids     []string
	)

	for i, queue := range l.deadLetterNames(s) {
		id := fmt.Sprintf("q%d", i)
		ids = append(ids, id)
		queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: &id, ReturnData: false, MetricStat: messagesIn(queue),
		})
	}

	queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: jsii.String("all"), ReturnData: true,
		Expression: jsii.String("SUM([" + strings.Join(ids, ", ") + "])"),
		Label:      jsii.String("events that reached nobody"),
	})
	awscloudwatch.NewCfnAlarm(l.scope, jsii.String("UndeliveredAlarm"), &awscloudwatch.CfnAlarmProps{
		AlarmName: &name, AlarmDescription: jsii.String("Events of " + l.config.App +
			" that nobody took, after all tries: ask lockstep doctor, and look into the queues " +
			config.RuleName(l.config.App, "*") + ". What lies there is of the last 14 days."),
		Metrics: queries, Threshold: jsii.Number(0),
		ComparisonOperator: jsii.String("GreaterThanThreshold"), EvaluationPeriods: jsii.Number(1),
		TreatMissingData: jsii.String("notBreaching"), AlarmActions: &[]any{l.Topic.TopicArn()},
	})

	cloudWatch := awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)
	l.Topic.AddToResourcePolicy(when(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{cloudWatch},
		Actions:    jsii.Strings("sns:Publish"), Resources: &[]*string{l.Topic.TopicArn()},
	}), "ArnEquals", "aws:SourceArn", arn("cloudwatch", "alarm:"+name)))
}

// messagesIn is the number of messages that lie in a queue.
func messagesIn(queue string) *awscloudwatch.CfnAlarm_MetricStatProperty {
	return &awscloudwatch.CfnAlarm_MetricStatProperty{
		Metric: &awscloudwatch.CfnAlarm_MetricProperty{
			Namespace:  jsii.String("AWS/SQS"),
			MetricName: jsii.String("ApproximateNumberOfMessagesVisible"),
			Dimensions: []any{&awscloudwatch.CfnAlarm_DimensionProperty{
				Name: jsii.String("QueueName"), Value: &queue,
			}},
		},
		Period: jsii.Number(60), Stat: jsii.String("Maximum"),
	}
}
