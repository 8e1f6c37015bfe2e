// Package invoke calls one of the team's own Lambda functions and waits for its answer.
package invoke

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/functions/internal/aws/awserr"
)

type api interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput,
		error)
}

// Lambdas are the functions of the account.
type Lambdas struct{ client api }

// New opens the functions.
func New(client *lambda.Client) *Lambdas { return &Lambdas{client} }

// Invoke calls a function, by name or ARN, with the question as JSON, and returns its answer, which
// is JSON too. An error that the function itself returns is an error with its message; the others
// are those of awserr.Wrap.
func (l *Lambdas) Invoke(ctx context.Context, function string, question any) (answer []byte,
	err error) {
	payload, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", function, err)
	}

	out, err := l.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return nil, awserr.Wrap(err, "invoke %s", function)
	}

	if failed := aws.ToString(out.FunctionError); failed != "" {
		var said struct {
			Message string `json:"errorMessage"`
		}
		if json.Unmarshal(out.Payload, &said) != nil || said.Message == "" {
			said.Message = fmt.Sprintf("%.200s", out.Payload)
		}

		return nil, fmt.Errorf("invoke %s: it failed (%s): %s", function, failed, said.Message)
	}

	return out.Payload, nil
}
