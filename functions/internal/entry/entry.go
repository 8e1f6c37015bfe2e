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
	"reflect"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"lockstep/statemachine"
)

// messageLimit keeps a long cause from filling the 256 KB of the document that it travels in.
const messageLimit = 16 << 10

// Start serves run as this process's Lambda. It does not return.
func Start[In, Out any](run func(context.Context, In) (Out, error)) { lambda.Start(Handler(run)) }

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

func failure(err error) messages.InvokeResponse_Error {
	name := statemachine.Name(err)
	if name == "" {
		name = typeOf(err)
	}

	text := err.Error()
	if len(text) > messageLimit {
		text = strings.ToValidUTF8(text[:messageLimit], "") + " ..."
	}

	return messages.InvokeResponse_Error{Type: name, Message: text}
}

// typeOf is the Go type of what went wrong first: a wrapper's type says nothing.
func typeOf(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}

	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}

	return t.Name()
}
