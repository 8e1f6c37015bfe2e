package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// metricsNamespace is the namespace of the weight's metric, which is made from the transitions'
// log.
const metricsNamespace = "Lockstep"

// notifications sends the notable transitions to a topic, for people, and all transitions to a
// log, for the dashboard.
func (l *Lockstep) notifications() awssns.Topic {
	topic := awssns.NewTopic(l.scope, jsii.String("Transitions"), &awssns.TopicProps{
		TopicName: jsii.String(l.config.Name()), EnforceSSL: jsii.Bool(true),
		DisplayName: jsii.String("Releases of " + l.config.App),
	})
	for _, email := range l.config.Notifications.Emails {
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&email, nil))
	}

	log := l.logGroup(l.scope, "TransitionsLog", l.transitionsLog())
	field := func(path string) string {
		return *awsevents.EventField_FromPath(jsii.String("$.detail." + path))
	}
	text := awsevents.RuleTargetInput_FromMultilineText(jsii.String(
		field("app") + ": " + field("text") + "\n" +
			"Where: " + field("notice.where") + "\n" +
			"Why: " + field("notice.why") + "\n" +
			"Done: " + field("notice.done") + "\n" +
			field("notice.link")))

	detail := map[string]any{"app": []string{l.config.App}}
	if l.config.Notifications.Transitions != config.AllTransitions {
		detail["notice"] = map[string]any{"notable": []bool{true}}
	}

	awsevents.NewRule(l.scope, jsii.String("TransitionRule"), &awsevents.RuleProps{
		RuleName: jsii.String(config.RuleName(l.config.App, "transition")),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings(sm.Source), DetailType: jsii.Strings(sm.DetailStateChange),
			Detail: &detail,
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewSnsTopic(topic, &awseventstargets.SnsTopicProps{Message: text}),
		},
	})

	l.logTransitions(log)

	return topic
}

// logTransitions writes every transition to the log, and the weight of each to a metric.
func (l *Lockstep) logTransitions(log awslogs.ILogGroup) {
	awsevents.NewCfnRule(l.scope, jsii.String("TransitionLogRule"), &awsevents.CfnRuleProps{
		Name: jsii.String(config.RuleName(l.config.App, "transition-log")),
		EventPattern: map[string]any{
			"source": []string{sm.Source}, "detail-type": []string{sm.DetailStateChange},
			"detail": map[string]any{"app": []string{l.config.App}},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("log"), Arn: jsii.String(arn("logs", "log-group:"+l.transitionsLog())),
		}},
	})

	policy := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{
			"Service": []string{"events.amazonaws.com", "delivery.logs.amazonaws.com"},
		},
		"Action": []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": *log.LogGroupArn(),
	}}}
	awslogs.NewCfnResourcePolicy(l.scope, jsii.String("TransitionLogPolicy"),
		&awslogs.CfnResourcePolicyProps{
			PolicyName:     jsii.String(config.RuleName(l.config.App, "transition-log")),
			PolicyDocument: awscdk.Stack_Of(l.scope).ToJsonString(policy, nil),
		})
	awslogs.NewMetricFilter(l.scope, jsii.String("Weight"), &awslogs.MetricFilterProps{
		LogGroup: log, FilterPattern: awslogs.FilterPattern_Exists(jsii.String("$.detail.weight")),
		MetricNamespace: jsii.String(metricsNamespace),
		MetricName:      jsii.String("Weight-" + l.config.App),
		MetricValue:     jsii.String("$.detail.weight"),
	})
}

func (l *Lockstep) transitionsLog() string {
	return "/aws/events/" + config.RuleName(l.config.App, "transitions")
}
