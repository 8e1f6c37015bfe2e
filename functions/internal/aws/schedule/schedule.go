// Package schedule makes the one-time EventBridge schedule that ends a bake. It calls
// sfn:SendTaskSuccess itself, so no Lambda waits and nothing polls.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

const sendTaskSuccess = "arn:aws:scheduler:::aws-sdk:sfn:sendTaskSuccess"

type api interface {
	CreateSchedule(context.Context, *scheduler.CreateScheduleInput,
		...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error)
	UpdateSchedule(context.Context, *scheduler.UpdateScheduleInput,
		...func(*scheduler.Options)) (*scheduler.UpdateScheduleOutput, error)
	ListSchedules(context.Context, *scheduler.ListSchedulesInput,
		...func(*scheduler.Options)) (*scheduler.ListSchedulesOutput, error)
	DeleteSchedule(context.Context, *scheduler.DeleteScheduleInput,
		...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error)
}

// Scheduler makes schedules in one group, with one role.
type Scheduler struct {
	client api
	group  string
	target types.Target
}

// New opens the schedules.
func New(client *scheduler.Client, s statemachine.Schedules) *Scheduler {
	return &Scheduler{client, s.Group, types.Target{Arn: aws.String(sendTaskSuccess),
		RoleArn: aws.String(s.Role)}}
}

// At sends output, as JSON, as the success of the task at the given time, or at once if that has
// passed. AWS may be up to a minute late. It replaces a schedule of the same name; if that one
// fires meanwhile, the error is StaleWrite. The others are those of awserr.Wrap.
func (s *Scheduler) At(ctx context.Context, name string, at time.Time, taskToken string,
	output any) error {
	target, err := s.targetFor(taskToken, output)
	if err != nil {
		return fmt.Errorf("schedule %s/%s: %w", s.group, name, err)
	}

	once, utc := aws.String(expression(at)), aws.String("UTC")
	exactly := &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}

	_, err = s.client.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name: &name, GroupName: &s.group, ScheduleExpression: once, ScheduleExpressionTimezone: utc,
		FlexibleTimeWindow: exactly, Target: target,
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
	})

	var exists *types.ConflictException
	if !errors.As(err, &exists) {
		return awserr.Wrap(err, "schedule %s/%s", s.group, name)
	}

	_, err = s.client.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: &name, GroupName: &s.group, ScheduleExpression: once, ScheduleExpressionTimezone: utc,
		FlexibleTimeWindow: exactly, Target: target,
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
	})

	var gone *types.ResourceNotFoundException
	if errors.As(err, &gone) { // it fired between the two calls; the machine retries
		return statemachine.Errorf(statemachine.StaleWrite,
			"reschedule %s/%s: the old schedule fired meanwhile", s.group, name)
	}

	return awserr.Wrap(err, "reschedule %s/%s", s.group, name)
}

// Cancel deletes a schedule. It is no error if it has fired or never existed.
func (s *Scheduler) Cancel(ctx context.Context, name string) error {
	_, err := s.client.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name,
		GroupName: &s.group})

	var gone *types.ResourceNotFoundException
	if errors.As(err, &gone) {
		return nil
	}

	return awserr.Wrap(err, "cancel schedule %s/%s", s.group, name)
}

// List returns the names of the schedules that have not fired yet.
func (s *Scheduler) List(ctx context.Context) ([]string, error) {
	var names []string

	pages := scheduler.NewListSchedulesPaginator(s.client,
		&scheduler.ListSchedulesInput{GroupName: &s.group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list the schedules of %s", s.group)
		}

		for _, one := range page.Schedules {
			names = append(names, aws.ToString(one.Name))
		}
	}

	return names, nil
}

// targetFor is the target with the input of SendTaskSuccess. Its Output is JSON in a string.
func (s *Scheduler) targetFor(taskToken string, output any) (*types.Target, error) {
	out, err := json.Marshal(output)
	if err != nil {
		return nil, err
	}

	input, err := json.Marshal(map[string]string{"TaskToken": taskToken, "Output": string(out)})
	if err != nil {
		return nil, err
	}

	target := s.target
	target.Input = aws.String(string(input))

	return &target, nil
}

// expression is the time rounded up to a second, so that nothing fires early. A time that has
// passed becomes the next second, since AWS refuses it.
func expression(at time.Time) string {
	if soon := time.Now().Add(time.Second); at.Before(soon) {
		at = soon
	}

	at = at.UTC().Add(time.Second - time.Nanosecond).Truncate(time.Second)

	return at.Format("at(2006-01-02T15:04:05)")
}
