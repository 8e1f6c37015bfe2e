// Package machine speaks to the state machine: it answers tasks that wait on a token, and starts
// executions.
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

// causeLimit is shorter than AWS's 32,768 characters: a cause travels in the document.
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

// Succeed answers the task that waits on the token. A token is good once: false says that the task
// was decided before, or its execution is over.
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

// Fail fails the task that waits on the token with the error name that a Catch matches; false as
// in Succeed.
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

// Start starts an execution; one of this name that exists already, running or over, is the one
// meant.
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

// Look tells how the execution with this ARN is doing; the zero value is one that does not exist.
// DescribeExecution lags behind for a moment, so nothing is a lock that is built on it alone.
func (m *Machine) Look(ctx context.Context, execution string) (machine.Execution, error) {
	out, err := m.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})

	var gone *types.ExecutionDoesNotExist
	if errors.As(err, &gone) {
		return machine.Execution{}, nil
	}

	if err != nil {
		return machine.Execution{}, awserr.Wrap(err, "look at execution %s", execution)
	}

	running := out.Status == types.ExecutionStatusRunning ||
		out.Status == types.ExecutionStatusPendingRedrive

	return machine.Execution{Running: running, Status: string(out.Status),
		Error: aws.ToString(out.Error)}, nil
}

// Running tells since when which executions run, a moment ago.
func (m *Machine) Running(ctx context.Context) (map[string]time.Time, error) {
	since := map[string]time.Time{}

	pages := sfn.NewListExecutionsPaginator(m.client,
		&sfn.ListExecutionsInput{StateMachineArn: &m.arn, StatusFilter: types.ExecutionStatusRunning})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list the executions of %s that run", m.arn)
		}

		for _, e := range page.Executions {
			since[aws.ToString(e.ExecutionArn)] = aws.ToTime(e.StartDate)
		}
	}

	return since, nil
}

// Stop stops the execution with this ARN; of one that has ended it changes nothing.
func (m *Machine) Stop(ctx context.Context, execution, cause string) error {
	_, err := m.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &execution,
		Cause: &cause})

	return awserr.Wrap(err, "stop execution %s", execution)
}

// ARN is that of the execution with a name.
func (m *Machine) ARN(name string) string {
	return strings.Replace(m.arn, ":stateMachine:", ":execution:", 1) + ":" + name
}

func decided(err error) bool {
	return awserr.Is(err, "TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
}
