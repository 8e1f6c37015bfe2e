package entry

import (
	"errors"
	"reflect"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"lockstep/statemachine"
)

// messageLimit keeps a long cause from filling the 256 KB of the document that it travels in.
const messageLimit = 16 << 10

// failure is an error as Lambda reports it: by its declared name, or the Go type of its cause.
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
