package main

import (
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"
)

// explain is an error in one line that says what to do about it. The SDK's own wording repeats the
// operation and the status, and hides the reason behind both.
func explain(err error) string {
	text := err.Error()
	what, _, _ := strings.Cut(text, ": operation error ")

	var (
		api     smithy.APIError
		network *net.OpError
	)
	switch {
	case strings.Contains(text, "get identity") ||
		strings.Contains(text, "failed to refresh cached credentials"):
		return what + ": found no AWS credentials; set AWS_PROFILE, or sign in with aws sso login"
	case errors.As(err, &api):
		text = what + ": " + strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ") +
			advice(api.ErrorCode())
	case errors.As(err, &network):
		text = what + ": " + network.Error() + "; is AWS_ENDPOINT_URL right, and is there a network?"
	}

	return strings.Join(strings.Fields(text), " ")
}

func advice(code string) string {
	switch {
	case strings.Contains(code, "AccessDenied"):
		return "; ask for the permission, or use another AWS_PROFILE"
	case strings.Contains(code, "ExpiredToken"), code == "InvalidAccessKeyId", code == "InvalidClientTokenId", code == "UnrecognizedClientException":
		return "; sign in again"
	case code == "NoSuchBucket":
		return "; is --state-bucket right, and AWS_REGION?"
	case strings.Contains(code, "ResourceNotFound"):
		return "; is the stack deployed in this Region?"
	}

	return ""
}
