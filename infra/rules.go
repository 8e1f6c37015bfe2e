package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// rules makes Lockstep's rules, each with a dead-letter queue.
func (l *Lockstep) rules(
	s sm.Settings, machine awsstepfunctions.IStateMachine, lambdas map[sm.Task]awslambda.Function,
) {
	for _, r := range l.config.Rules(s) {
		queue := l.deadLetters(ruleID(r)+"DeadLetters", undeliveredBy(l.config.App, r))
		accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")

		if r.Task == "" {
			l.rule(r, awseventstargets.NewSfnStateMachine(machine,
				&awseventstargets.SfnStateMachineProps{DeadLetterQueue: queue}))
		} else {
			l.rule(r, awseventstargets.NewLambdaFunction(lambdas[r.Task].CurrentVersion(),
				&awseventstargets.LambdaFunctionProps{DeadLetterQueue: queue}))
		}
	}
}

func ruleID(r config.Rule) string { return string(r.Name[0]-'a'+'A') + r.Name[1:] }

// undeliveredBy is the name of the queue of events that a rule could not deliver within a day.
func undeliveredBy(app string, r config.Rule) string {
	return config.RuleName(app, r.Name) + "-undelivered"
}

// rule makes a rule with one target.
func (l *Lockstep) rule(r config.Rule, target awsevents.IRuleTarget) {
	props := &awsevents.RuleProps{
		RuleName: jsii.String(config.RuleName(l.config.App, r.Name)), Enabled: &r.Enabled,
		Targets: &[]awsevents.IRuleTarget{target},
	}
	if r.Every > 0 {
		props.Schedule = awsevents.Schedule_Rate(
			awscdk.Duration_Seconds(jsii.Number(r.Every.Std().Seconds())))
	} else {
		props.EventPattern = &awsevents.EventPattern{
			Source: jsii.Strings(r.Source), DetailType: jsii.Strings(r.DetailType), Detail: &r.Detail,
		}
	}

	awsevents.NewRule(l.scope, jsii.String(ruleID(r)+"Rule"), props)
}
