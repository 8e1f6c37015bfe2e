// Package machine calls the state machine: it answers tasks that wait for a token, and starts,
// stops and lists executions.
package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/functions/internal/machine"
)

// causeLimit, in bytes, is below AWS's limit of 32,768: a cause travels in the document, which has
// a limit of its own.
const causeLimit = 16 << 10

type api interface {
	SendTaskSuccess(context.Context, *sfn.SendTaskSuccessInput,
		...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error)
	SendTaskFailure(context.Context, *sfn.SendTaskFailureInput,
		...func(*sfn.Options)) (*sfn.SendTaskFailureOutput, error)
	StartExecution(context.Context, *sfn.StartExecutionInput,
		...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	ListExecutions(context.Context, *sfn.ListExecutionsInput,
		...func(*sfn.Options)) (*sfn.ListExecutionsOutput, error)
	StopExecution(context.Context, *sfn.StopExecutionInput,
		...func(*sfn.Options)) (*sfn.StopExecutionOutput, error)
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput,
		...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
}

// Machine is the state machine.
type Machine struct {
	client api
	arn    string
}

// New opens the state machine.
func New(client *sfn.Client, arn string) *Machine { return &Machine{client, arn} }

// Succeed answers the task that waits for the token with output as JSON. A token takes one answer:
// delivered is false if the task was answered before, or its execution is over. Its errors are
// those of awserr.Wrap.
func (m *Machine) Succeed(ctx context.Context, token string, output any) (delivered bool,
	err error) {
	data, err := json.Marshal(output)
	if err != nil {
		return false, fmt.Errorf("send the success of a task of %s: %w", m.arn, err)
	}

	_, err = m.client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token,
		Output: aws.String(string(data))})
	if decided(err) {
		return false, nil
	}

	return err == nil, awserr.Wrap(err, "send the success of a task of %s", m.arn)
}

// Fail fails the task that waits for the token, with the error name that a Catch matches and a
// cause, which is cut after causeLimit. delivered is as in Succeed.
func (m *Machine) Fail(ctx context.Context, token, name, cause string) (delivered bool, err error) {
	if len(cause) > causeLimit {
		cause = strings.ToValidUTF8(cause[:causeLimit], "") + " ..."
	}

	_, err = m.client.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{TaskToken: &token, Error: &name,
		Cause: &cause})
	if decided(err) {
		return false, nil
	}

	return err == nil, awserr.Wrap(err, "send the failure %s of a task of %s", name, m.arn)
}

// Start starts an execution with input as JSON. It does nothing if an execution of this name
// exists, running or over.
func (m *Machine) Start(ctx context.Context, name string, input any) error {
	data, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("start execution %s of %s: %w", name, m.arn, err)
	}

	_, err = m.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &m.arn, Name: &name, Input: aws.String(string(data)),
	})

	var exists *types.ExecutionAlreadyExists
	if errors.As(err, &exists) {
		return nil
	}

	return awserr.Wrap(err, "start execution %s of %s", name, m.arn)
}

// Look is the state of the execution with this ARN; the zero value if it does not exist.
// DescribeExecution is eventually consistent, so the answer is no proof that an execution has
// ended.
func (m *Machine) Look(ctx context.Context, execution string) (machine.Execution, error) {
	out, err := m.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})

	var gone *types.ExecutionDoesNotExist
	if errors.As(err, &gone) {
		return machine.Execution{}, nil
	}

	if err != nil {
		return machine.Execution{}, awserr.Wrap(err, "describe execution %s", execution)
	}

	running := out.Status == types.ExecutionStatusRunning ||
		out.Status == types.ExecutionStatusPendingRedrive

	return machine.Execution{Running: running, Status: string(out.Status),
		Error: aws.ToString(out.Error)}, nil
}

// Running lists the running executions by their ARN, with the time at which each started. The list
// is eventually consistent.
func (m *Machine) Running(ctx context.Context) (map[string]time.Time, error) {
	since := map[string]time.Time{}

	pages := sfn.NewListExecutionsPaginator(m.client,
		&sfn.ListExecutionsInput{StateMachineArn: &m.arn, StatusFilter: types.ExecutionStatusRunning})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list the running executions of %s", m.arn)
		}

		for _, e := range page.Executions {
			since[aws.ToString(e.ExecutionArn)] = aws.ToTime(e.StartDate)
		}
	}

	return since, nil
}

// Stop stops the execution with this ARN. One that has ended stays as it is.
func (m *Machine) Stop(ctx context.Context, execution, cause string) error {
	_, err := m.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &execution,
		Cause: &cause})

	return awserr.Wrap(err, "stop execution %s", execution)
}

// ARN is the ARN of the execution with this name.
func (m *Machine) ARN(name string) string {
	return strings.Replace(m.arn, ":stateMachine:", ":execution:", 1) + ":" + name
}

// decided tells whether the error says that the task takes no more answers.
func decided(err error) bool {
	return awserr.Is(err, "TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
}
