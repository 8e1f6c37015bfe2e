package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// callError is a call of AWS that failed: what was attempted, on what, and the SDK's error.
type callError struct {
	call string
	err  error
}

// failed says of an error which call it ended; nil stays nil.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}

	return &callError{fmt.Sprintf(format, args...), err}
}

func (e *callError) Error() string { return e.call + ": " + e.err.Error() }

func (e *callError) Unwrap() error { return e.err }

// credentialsError is about the credentials of a call, before AWS was asked anything.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "get AWS credentials: " + e.err.Error() }

func (e *credentialsError) Unwrap() error { return e.err }

// checkedCredentials returns a credentialsError for whatever keeps a provider from answering: the
// SDK has a type for some of its providers' errors, and none for all.
type checkedCredentials struct{ aws.CredentialsProvider }

func (c checkedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return found, &credentialsError{err}
	}

	return found, nil
}

// explain is an error in one line that says what to do about it. The SDK's own wording repeats the
// operation and the status, and hides the reason behind both.
func explain(err error) string {
	text := err.Error()

	var (
		call        *callError
		credentials *credentialsError
		api         smithy.APIError
		network     *net.OpError
	)
	if errors.As(err, &call) {
		isAPI, isCredentials := errors.As(call.err, &api), errors.As(call.err, &credentials)

		switch {
		case isCredentials && isAPI:
			text = fmt.Sprintf("%s: cannot get AWS credentials: %s", call.call, reason(api))
		case isCredentials:
			text = call.call +
				": found no AWS credentials; set AWS_PROFILE, or sign in with aws sso login"
		case isAPI:
			text = call.call + ": " + reason(api)
		case errors.As(call.err, &network):
			text = fmt.Sprintf("%s: %s; check AWS_ENDPOINT_URL and the network", call.call, network)
		}
	}

	return strings.Join(strings.Fields(text), " ")
}

// reason is what AWS answered, and what to do about it.
func reason(api smithy.APIError) string {
	return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ") +
		advice(api.ErrorCode())
}

// advice is by the codes of the services that the command calls: S3, SSM, EventBridge, Lambda, and
// STS for the credentials.
func advice(code string) string {
	switch code {
	case "AccessDenied", "AccessDeniedException":
		return "; ask for the permission, or use another AWS_PROFILE"
	case "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId",
		"UnrecognizedClientException":
		return "; sign in again"
	case "NoSuchBucket":
		return "; check --state-bucket and AWS_REGION"
	case "ResourceNotFoundException", "ParameterNotFound":
		return "; check that the stack is deployed in this Region"
	}

	return ""
}
