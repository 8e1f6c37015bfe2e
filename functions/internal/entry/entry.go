// Package entry is how a step meets Lambda. aws-lambda-go would report the outermost Go type of an
// error, so a wrapped one would slip past Catch and Retry: here the error's declared name goes
// out.
package entry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"lockstep/statemachine"
)

// Start serves a step as this process's Lambda, with a log. It does not return.
func Start[In, Out any](task statemachine.Task, run func(context.Context, In) (Out, error)) {
	lambda.Start(Handler(Logged(NewLogger(os.Stderr), task, run)))
}

// Handler is run as Lambda calls it: JSON in, JSON out, errors by their declared names.
func Handler[In, Out any](run func(context.Context, In) (Out, error)) lambda.Handler {
	return handler(func(ctx context.Context, payload []byte) ([]byte, error) {
		var in In
		if err := decode(payload, &in); err != nil {
			return nil, failure(fmt.Errorf("read the input as %T: %w", in, err))
		}

		out, err := run(ctx, in)
		if err != nil {
			return nil, failure(err)
		}

		answer, err := json.Marshal(out)
		if err != nil {
			return nil, failure(fmt.Errorf("write the result: %w", err))
		}

		return answer, nil
	})
}

type handler func(context.Context, []byte) ([]byte, error)

// Invoke makes handler a lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte,
	error) {
	return h(ctx, payload)
}

// decode reads exactly one value. A field that it does not know is let through: executions outlive
// the Lambdas they began with, and AWS adds fields to its events.
func decode(payload []byte, into any) error {
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 || bytes.Equal(payload, []byte("null")) {
		return errors.New("found nothing, expected a JSON value")
	}

	return statemachine.Decode(payload, into)
}
