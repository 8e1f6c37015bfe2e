package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// rules start the machine on a merge and bring alarms, operators and dead executions to their Lambdas.
func (l *Lockstep) rules() {
	app := []string{l.config.App}
	var alarms []any
	for _, e := range sm.Environments() { // by prefix: a pattern has no room for the alarms of 200 functions
		alarms = append(alarms, map[string]string{"prefix": config.AlarmName(l.config.App, e, "")})
	}
	l.rule("merge", awsevents.EventPattern{
		Source: jsii.Strings(sm.SourceCI), DetailType: jsii.Strings(sm.DetailMerge), Detail: &map[string]any{"app": app},
	}, "")
	l.rule("upload", awsevents.EventPattern{
		Source: jsii.Strings("aws.s3"), DetailType: jsii.Strings("Object Created"),
		Detail: &map[string]any{
			"bucket": map[string]any{"name": []string{l.settings.StateBucket}},
			"object": map[string]any{"key": []any{map[string]string{"wildcard": sm.ReleasesPrefix + "*/release.json"}}},
		},
	}, "")
	l.rule("alarm", awsevents.EventPattern{
		Source: jsii.Strings("aws.cloudwatch"), DetailType: jsii.Strings("CloudWatch Alarm State Change"),
		Detail: &map[string]any{"alarmName": alarms},
	}, sm.Signal)
	l.rule("operator", awsevents.EventPattern{
		Source: jsii.Strings(sm.SourceOperator), DetailType: jsii.Strings(sm.DetailOperator), Detail: &map[string]any{"app": app},
	}, sm.Signal)
	l.rule("dead", awsevents.EventPattern{
		Source: jsii.Strings("aws.states"), DetailType: jsii.Strings("Step Functions Execution Status Change"),
		Detail: &map[string]any{"stateMachineArn": []string{l.settings.Machine}, "status": []string{"FAILED", "TIMED_OUT", "ABORTED"}},
	}, sm.Recover)
}

// rule brings what matches to a Lambda, or starts the machine where none is named. What can't be delivered
// within a day lies in a queue of the rule's own.
func (l *Lockstep) rule(name string, pattern awsevents.EventPattern, task sm.Task) {
	id := string(name[0]-'a'+'A') + name[1:]
	queue := awssqs.NewQueue(l.scope, jsii.String(id+"DeadLetters"), &awssqs.QueueProps{
		QueueName: jsii.String(l.ruleName(name) + "-undelivered"), Encryption: awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL: jsii.Bool(true), RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")
	var target awsevents.IRuleTarget
	if task == "" {
		target = awseventstargets.NewSfnStateMachine(l.machine, &awseventstargets.SfnStateMachineProps{DeadLetterQueue: queue})
	} else {
		target = awseventstargets.NewLambdaFunction(l.lambdas[task].CurrentVersion(), &awseventstargets.LambdaFunctionProps{DeadLetterQueue: queue})
	}
	awsevents.NewRule(l.scope, jsii.String(id+"Rule"), &awsevents.RuleProps{
		RuleName: jsii.String(l.ruleName(name)), EventPattern: &pattern, Targets: &[]awsevents.IRuleTarget{target},
		Enabled: jsii.Bool((name != string(config.OnMerge) && name != string(config.OnUpload)) || name == string(l.config.Trigger)),
	})
}

func (l *Lockstep) ruleName(name string) string { return "lockstep-" + l.config.App + "-" + name }
