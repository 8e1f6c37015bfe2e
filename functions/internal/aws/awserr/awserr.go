// Package awserr wraps the errors of AWS calls: it says what was attempted, and names the transient
// ones so that the machine retries them.
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

// Wrap puts what was attempted, and on what, before the error. It names a failed conditional write
// StaleWrite, and throttling and whatever else the SDK would retry Throttled. nil stays nil.
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

// Code is the error's code as AWS sent it; "" if it sent none.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}

	return ""
}

// Is tells whether the error has one of the codes.
func Is(err error, codes ...string) bool {
	got := Code(err)
	for _, code := range codes {
		if got == code {
			return true
		}
	}

	return false
}

// Stale tells whether the error says that a condition of the call was not met.
func Stale(err error) bool {
	if Is(err, "PreconditionFailed", "PreconditionFailedException", "ConditionalRequestConflict",
		"ConflictException") {
		return true
	}

	// The key-value store has no code of its own for it: only the message tells it from a request that
	// is wrong.
	var api smithy.APIError

	return errors.As(err, &api) && api.ErrorCode() == "ValidationException" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "pre-condition")
}

// nameOf is the name under which the machine retries the error; "" if it does not.
func nameOf(err error) string {
	switch {
	case Stale(err):
		return statemachine.StaleWrite
	case throttled(Code(err)), errors.Is(err, io.ErrUnexpectedEOF),
		retryable.IsErrorRetryable(err) == aws.TrueTernary:
		return statemachine.Throttled
	}

	return ""
}

// retryable is the SDK's own rule.
var retryable = retry.IsErrorRetryables(retry.DefaultRetryables)

// throttled tells whether a code says that the service is busy, fails for now, or changes the same
// thing for somebody else.
func throttled(code string) bool {
	switch code {
	case "TooManyRequestsException", "TooManyUpdates", "SlowDown", "RequestLimitExceeded",
		"LimitExceededException", "ServiceUnavailable", "ServiceUnavailableException",
		"ServiceException", "InternalError", "InternalFailure", "InternalServerException",
		"InternalServerError", "InternalServiceFault", "InternalServiceError",
		"ConcurrentModificationException", "OperationAborted", "ResourceConflictException",
		"RequestTimeout":
		return true
	}

	return strings.Contains(code, "Throttl")
}

// failure words an error of AWS as its code and message. The SDK's own text repeats the operation
// and the status. The chain of errors stays.
type failure struct{ err error }

func (f *failure) Error() string {
	var api smithy.APIError
	if errors.As(f.err, &api) {
		return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	}

	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }
