package awserr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"lockstep/statemachine"
)

func TestWrap_NamesWhatTheMachineRetries(t *testing.T) {
	api := func(code, message string) error {
		return fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: code, Message: message})
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{api("TooManyRequestsException", "Rate exceeded"), statemachine.Throttled},
		{api("ThrottlingException", ""), statemachine.Throttled},
		{api("Throttling", ""), statemachine.Throttled},
		{api("KmsThrottlingException", ""), statemachine.Throttled},
		{api("SlowDown", ""), statemachine.Throttled},
		{api("RequestLimitExceeded", ""), statemachine.Throttled},
		{api("ServiceUnavailable", ""), statemachine.Throttled},
		{api("ResourceConflictException", "an update is in progress"), statemachine.Throttled},
		{&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")},
			statemachine.Throttled},
		{io.ErrUnexpectedEOF, statemachine.Throttled},
		{api("PreconditionFailed", ""), statemachine.StaleWrite},
		{api("ConditionalRequestConflict", ""), statemachine.StaleWrite},
		{api("PreconditionFailedException", ""), statemachine.StaleWrite},
		{api("ConflictException", ""), statemachine.StaleWrite},
		{api("ValidationException", "Pre-Condition failed"), statemachine.StaleWrite},
		{api("ValidationException", "value too long"), ""},
		{api("AccessDenied", ""), ""},
		{&aws.RequestCanceledError{Err: context.Canceled}, ""},
		{errors.New("anything else"), ""},
	} {
		err := Wrap(c.err, "write %s", "x")
		if got := statemachine.Name(err); got != c.want {
			t.Errorf("%v: named %q, want %q", c.err, got, c.want)
		}

		if !errors.Is(err, c.err) {
			t.Errorf("%v: not reachable through %v", c.err, err)
		}
	}
}

func TestWrap_SaysWhatWasAttempted(t *testing.T) {
	err := Wrap(fmt.Errorf("operation error S3: PutObject, https response error StatusCode: 403, RequestID: 1: %w",
		&smithy.GenericAPIError{Code: "AccessDenied",
			Message: "no s3:PutObject"}), "write s3://%s/%s", "state", "ledger/lock.json")
	if got, want := err.Error(), "write s3://state/ledger/lock.json: AccessDenied: no s3:PutObject"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	if Wrap(nil, "write") != nil {
		t.Error("no error became one")
	}
}
