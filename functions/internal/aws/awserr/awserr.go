// Package awserr says what an AWS call attempted when it failed, and gives the failures that pass
// by themselves the names under which the machine retries them.
package awserr

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"lockstep/statemachine"
)

// Wrap puts what was attempted, and on what, before the error. A lost conditional write is named
// StaleWrite; throttling and whatever else the SDK itself would retry is named Throttled.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}

	op := fmt.Sprintf(format, args...)

	err = &failure{err}
	if name := nameOf(err); name != "" {
		return statemachine.Wrap(name, op, err)
	}

	return fmt.Errorf("%s: %w", op, err)
}

// Code is the error's code as AWS sent it, or "" where AWS sent none.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}

	return ""
}

// Is tells whether AWS sent one of the codes.
func Is(err error, codes ...string) bool {
	got := Code(err)
	for _, code := range codes {
		if got == code {
			return true
		}
	}

	return false
}

// Stale tells whether a condition that the call set was not met.
func Stale(err error) bool {
	if Is(err, "PreconditionFailed", "PreconditionFailedException", "ConditionalRequestConflict",
		"ConflictException") {
		return true
	}

	var api smithy.APIError // the key-value store words its refusal so

	return errors.As(err, &api) && api.ErrorCode() == "ValidationException" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "pre-condition")
}

func nameOf(err error) string {
	switch {
	case Stale(err):
		return statemachine.StaleWrite
	case throttled(Code(err)), errors.Is(err, io.ErrUnexpectedEOF), retryable.IsErrorRetryable(err) == aws.TrueTernary:
		return statemachine.Throttled
	}

	return ""
}

var retryable = retry.IsErrorRetryables(retry.DefaultRetryables)

func throttled(code string) bool {
	switch code {
	case "TooManyRequestsException", "TooManyUpdates", "SlowDown", "RequestLimitExceeded", "LimitExceededException",
		"ServiceUnavailable", "ServiceUnavailableException", "ServiceException", "InternalError", "InternalFailure",
		"InternalServerException", "InternalServerError", "InternalServiceFault", "InternalServiceError",
		"ConcurrentModificationException", "OperationAborted", "ResourceConflictException", "RequestTimeout":
		return true
	}

	return strings.Contains(code, "Throttl")
}

// failure shows an error of AWS as its code and message: the SDK's own wording repeats the
// operation and the status. The whole chain stays reachable.
type failure struct{ err error }

func (f *failure) Error() string {
	var api smithy.APIError
	if errors.As(f.err, &api) {
		return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	}

	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }
