package infra

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// events binds the functions' event sources to their aliases live. A release moves the alias and
// leaves the bindings as they are. The bindings are in nested stacks of their own, which come after
// the custom resource that creates the aliases.
func (l *Lockstep) events(first awscdk.CustomResource) {
	stacks := map[uint32]awscdk.NestedStack{}

	var undelivered awssqs.Queue

	for _, f := range l.config.Functions {
		if len(f.Events) == 0 {
			continue
		}

		if undelivered == nil {
			undelivered = l.undeliveredEvents()
		}

		shelf := shelfOf(f.Name)
		if stacks[shelf] == nil {
			stacks[shelf] = awscdk.NewNestedStack(l.scope, jsii.String(fmt.Sprintf("Events%d", shelf)),
				&awscdk.NestedStackProps{
					Description: jsii.String("What calls functions of " + l.config.App +
						" beside the API, by Lockstep."),
				})
			stacks[shelf].Node().AddDependency(first, undelivered)
		}

		scope := constructs.NewConstruct(stacks[shelf], &f.Name)
		if f.Existing == "" && slices.ContainsFunc(f.Events, config.Source.Handed) {
			l.failures(scope, f)
		}

		for i, source := range f.Events {
			l.event(constructs.NewConstruct(scope, jsii.String(source.ID(i))), f, i, source)
		}
	}
}

// failures sends the events at which a function fails, after Lambda's retries, to the queue.
func (l *Lockstep) failures(scope constructs.Construct, f config.Function) {
	name := l.config.Lambda(f)
	awslambda.NewCfnEventInvokeConfig(scope, jsii.String("Failures"),
		&awslambda.CfnEventInvokeConfigProps{
			FunctionName: &name, Qualifier: jsii.String(sm.LiveAlias),
			DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
				OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{
					Destination: jsii.String(arn("sqs", l.undeliveredName())),
				},
			},
		})
}

// event binds one source, the i-th of a function. Events that cannot be delivered go to the queue.
func (l *Lockstep) event(
	scope constructs.Construct, f config.Function, i int, source config.Source,
) {
	live := l.functionARN(f) + ":" + sm.LiveAlias

	switch {
	case source.Queue != "":
		awslambda.NewCfnEventSourceMapping(scope, jsii.String("Queue"),
			&awslambda.CfnEventSourceMappingProps{
				EventSourceArn: &source.Queue, FunctionName: &live,
				BatchSize: jsii.Number(float64(source.Batch)),
			})
	case source.Stream != "":
		// A batch at which the function fails is halved until the bad record is found. That record goes
		// to the queue, since it would hold up all records after it.
		awslambda.NewCfnEventSourceMapping(scope, jsii.String("Stream"),
			&awslambda.CfnEventSourceMappingProps{
				EventSourceArn: &source.Stream, FunctionName: &live,
				BatchSize:                  jsii.Number(float64(source.Batch)),
				StartingPosition:           jsii.String("LATEST"),
				BisectBatchOnFunctionError: true, MaximumRetryAttempts: jsii.Number(10),
				DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
					OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{
						Destination: jsii.String(arn("sqs", l.undeliveredName())),
					},
				},
			})
	case source.Topic != "":
		l.callable(scope, live, "sns.amazonaws.com", source.Topic)
		awssns.NewCfnSubscription(scope, jsii.String("Subscription"), &awssns.CfnSubscriptionProps{
			TopicArn: &source.Topic, Protocol: jsii.String("lambda"), Endpoint: &live,
			RedrivePolicy: map[string]any{"deadLetterTargetArn": arn("sqs", l.undeliveredName())},
		})
	default:
		l.eventRule(scope, f, i, source)
	}
}

// eventRule binds a schedule or a pattern.
func (l *Lockstep) eventRule(
	scope constructs.Construct, f config.Function, i int, source config.Source,
) {
	live := l.functionARN(f) + ":" + sm.LiveAlias
	name, bus := config.SourceRule(l.config.App, f.Name, i), source.Bus
	resource := "rule/" + name
	rule := &awsevents.CfnRuleProps{
		Name: &name, Description: jsii.String("Calls " + f.Name + ", as it serves."),
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("live"), Arn: &live,
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{
				Arn: jsii.String(arn("sqs", l.undeliveredName())),
			},
		}},
	}

	if source.Schedule != "" {
		rule.ScheduleExpression = &source.Schedule
	} else {
		rule.EventPattern = source.Pattern
	}

	if bus != "" && bus != config.DefaultBus {
		rule.EventBusName, resource = &bus, "rule/"+bus+"/"+name
	}

	l.callable(scope, live, "events.amazonaws.com", arn("events", resource))
	awsevents.NewCfnRule(scope, jsii.String("Rule"), rule)
}

// callable lets a source call a function's alias live.
func (l *Lockstep) callable(scope constructs.Construct, live, service, source string) {
	awslambda.NewCfnPermission(scope, jsii.String("Permission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: &live, Principal: &service,
		SourceArn: &source,
	})
}

// undeliveredName is the name of the one queue of events that reached no function. The stacks refer
// to it by name, so that none needs an export of another.
func (l *Lockstep) undeliveredName() string {
	return config.RuleName(l.config.App, "events-undelivered")
}

func (l *Lockstep) undeliveredEvents() awssqs.Queue {
	queue := l.deadLetters("UndeliveredEvents", l.undeliveredName())
	accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself.")

	rule := config.FunctionName(l.config.App, "*")
	l.sends(queue, "events.amazonaws.com", arn("events", "rule/"+rule), arn("events", "rule/*/"+rule))

	var topics []string

	for _, f := range l.config.Functions {
		for _, source := range f.Events {
			if source.Topic != "" && !slices.Contains(topics, source.Topic) {
				topics = append(topics, source.Topic)
			}
		}
	}

	if topics != nil {
		l.sends(queue, "sns.amazonaws.com", topics...)
	}

	return queue
}

// sends lets a service put into the queue the events that its sources could not deliver.
func (l *Lockstep) sends(queue awssqs.Queue, service string, sources ...string) {
	queue.AddToResourcePolicy(when(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(&service, nil)},
		Actions:    jsii.Strings("sqs:SendMessage"), Resources: &[]*string{queue.QueueArn()},
	}), "ArnLike", "aws:SourceArn", sources...))
}
