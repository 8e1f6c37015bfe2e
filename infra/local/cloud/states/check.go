package states

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

// Limits of the API.
const (
	maxName  = 80
	maxError = 256
	maxCause = 32_768
)

func checkName(name string) error {
	forbidden := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) ||
			strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
	}
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName ||
		strings.ContainsFunc(name, forbidden) {
		return wire.Refuse("InvalidName", fmt.Sprintf("Invalid Name: '%s'", name))
	}

	return nil
}

func checkARN(arn string) error {
	if !strings.HasPrefix(arn, "arn:aws:states:") {
		return wire.Refuse("InvalidArn", fmt.Sprintf("Invalid Arn: 'Invalid ARN prefix: %s'", arn))
	}

	return nil
}

// checkFailure refuses an error or a cause that is longer than AWS accepts.
func checkFailure(name, cause string) error {
	for _, c := range []struct {
		field, value string
		most         int
	}{{"error", name, maxError}, {"cause", cause, maxCause}} {
		if n := utf8.RuneCountInString(c.value); n > c.most {
			return wire.Refuse("ValidationException", fmt.Sprintf("1 validation error detected: "+
				"Value at '%s' failed to satisfy constraint: found %d characters, expected at most %d",
				c.field, n, c.most))
		}
	}

	return nil
}

// SendTaskSuccess completes the task that waits with this token. output is JSON.
func (s *Service) SendTaskSuccess(token, output string) error {
	if !json.Valid([]byte(output)) || len(output) > asl.MaxPayload {
		return wire.Refuse("InvalidOutput", fmt.Sprintf(
			"Invalid Output: found %d bytes, expected JSON of at most %d", len(output), asl.MaxPayload))
	}

	return tokenError(s.tokens.Succeed(token, json.RawMessage(output)))
}

// SendTaskFailure fails the task that waits with this token.
func (s *Service) SendTaskFailure(token, name, cause string) error {
	if err := checkFailure(name, cause); err != nil {
		return err
	}

	return tokenError(s.tokens.Fail(token, name, cause))
}

// SendTaskHeartbeat reports that the task with this token is still running.
func (s *Service) SendTaskHeartbeat(token string) error {
	return tokenError(s.tokens.Heartbeat(token))
}

func tokenError(err error) error {
	switch {
	case errors.Is(err, asl.ErrInvalidToken):
		return wire.Refuse("InvalidToken", "Invalid Token: 'Invalid token'")
	case errors.Is(err, asl.ErrTaskTimedOut):
		return wire.Refuse("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	}

	return err
}
