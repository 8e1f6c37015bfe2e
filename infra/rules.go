package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
)

// rules start the machine and bring it what happens around it.
func (l *Lockstep) rules() {
	for _, r := range l.config.Rules(l.settings.StateBucket, l.settings.Machine) {
		l.rule(r)
	}
}

// rule brings what matches to a Lambda, or starts the machine where none is named. What can't be
// delivered within a day lies in a queue of the rule's own.
func (l *Lockstep) rule(r config.Rule) {
	id := string(r.Name[0]-'a'+'A') + r.Name[1:]
	queue := l.deadLetters(id+"DeadLetters", config.RuleName(l.config.App, r.Name)+"-undelivered")
	accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")

	var target awsevents.IRuleTarget
	if r.Task == "" {
		target = awseventstargets.NewSfnStateMachine(l.machine,
			&awseventstargets.SfnStateMachineProps{DeadLetterQueue: queue})
	} else {
		target = awseventstargets.NewLambdaFunction(l.lambdas[r.Task].CurrentVersion(),
			&awseventstargets.LambdaFunctionProps{DeadLetterQueue: queue})
	}

	props := &awsevents.RuleProps{RuleName: jsii.String(config.RuleName(l.config.App, r.Name)),
		Enabled: &r.Enabled, Targets: &[]awsevents.IRuleTarget{target}}
	if r.Every > 0 {
		props.Schedule = awsevents.Schedule_Rate(
			awscdk.Duration_Seconds(jsii.Number(r.Every.Std().Seconds())))
	} else {
		props.EventPattern = &awsevents.EventPattern{Source: jsii.Strings(r.Source),
			DetailType: jsii.Strings(r.DetailType), Detail: &r.Detail}
	}

	awsevents.NewRule(l.scope, jsii.String(id+"Rule"), props)
}
