// Package wire is the part of the AWS wire protocols that the stand-ins share: reading JSON calls,
// answering them, and refusing them in the form that an SDK turns into its typed error.
package wire

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Account and Region are those of all resources on this machine.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// Error is a refusal in the form of AWS. Code is the name of the exception.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Refuse makes a refusal with status 400, which most JSON services use for all refusals.
func Refuse(code, message string) error { return &Error{http.StatusBadRequest, code, message} }

// ARN is the ARN of a resource on this machine.
func ARN(service, resource string) string {
	return "arn:aws:" + service + ":" + Region + ":" + Account + ":" + resource
}

// Operation is the operation of an AWS JSON 1.0 or 1.1 call: the part of X-Amz-Target after the
// dot.
func Operation(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	return target[strings.LastIndexByte(target, '.')+1:]
}

// Read decodes the body of a JSON call. An empty body is an empty object.
func Read(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}

	if len(data) == 0 {
		return nil
	}

	if err := json.Unmarshal(data, into); err != nil {
		return Refuse("SerializationException", err.Error())
	}

	return nil
}

// Answer writes the result of a JSON call, or its refusal.
func Answer(w http.ResponseWriter, r *http.Request, result any, err error) {
	contentType := r.Header.Get("Content-Type")
	if !strings.HasPrefix(contentType, "application/x-amz-json") {
		contentType = "application/json"
	}

	w.Header().Set("Content-Type", contentType)

	if err != nil {
		refusal := &Error{http.StatusInternalServerError, "InternalServerError", err.Error()}
		errors.As(err, &refusal)
		w.Header().Set("X-Amzn-ErrorType", refusal.Code)
		w.WriteHeader(refusal.Status)
		result = map[string]string{
			"__type": refusal.Code, "message": refusal.Message, "Message": refusal.Message,
		}
	}

	if result == nil {
		result = struct{}{}
	}

	_ = json.NewEncoder(w).Encode(result)
}
