package entry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"lockstep/statemachine"
)

func invoke(t *testing.T, payload string, err error) (string, messages.InvokeResponse_Error) {
	t.Helper()

	handler := Handler(func(_ context.Context, doc statemachine.Document) (statemachine.Document,
		error) {
		doc.Step++
		return doc, err
	})
	answer, failed := handler.Invoke(t.Context(), []byte(payload))

	var e messages.InvokeResponse_Error
	if failed != nil && !errors.As(failed, &e) {
		t.Fatalf("got %T, which Lambda would report by its Go type", failed)
	}

	return string(answer), e
}

func TestHandler_Answers(t *testing.T) {
	answer, e := invoke(t, ` {"release":"v2","step":1,"fieldOfANewerLockstep":true} `, nil)
	if e.Type != "" || !strings.Contains(answer, `"release":"v2"`) ||
		!strings.Contains(answer, `"step":2`) {
		t.Errorf("got %s, %v", answer, e)
	}
}

func TestHandler_NamesErrors(t *testing.T) {
	named := statemachine.Errorf(statemachine.StaleWrite, "write lock.json: somebody else did")
	for _, c := range []struct {
		err  error
		want string
	}{
		{named, "StaleWrite"},
		{fmt.Errorf("sync: %w", fmt.Errorf("take the lock: %w", named)), "StaleWrite"},
		{statemachine.Wrap(statemachine.DeployFailed, "deploy", named), "StaleWrite"},
		{fmt.Errorf("read: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}),
			"errorString"},
		{context.DeadlineExceeded, "deadlineExceededError"},
	} {
		_, e := invoke(t, `{}`, c.err)
		if e.Type != c.want || e.Message != c.err.Error() {
			t.Errorf("%v: got %s: %s, want %s", c.err, e.Type, e.Message, c.want)
		}
	}

	if _, e := invoke(t, `{}`, errors.New(strings.Repeat("é", 1<<20))); len(e.Message) > 20<<10 {
		t.Errorf("a message of %d bytes does not fit into the document", len(e.Message))
	}
}

func TestHandler_RefusesWhatDoesNotParse(t *testing.T) {
	for _, payload := range []string{"", "null", "not JSON", `{} {}`, `{"step":"one"}`, `[]`} {
		if answer, e := invoke(t, payload, nil); e.Type == "" ||
			!strings.Contains(e.Message, "statemachine.Document") {
			t.Errorf("%q: got %s, %v; want an error that names the input", payload, answer, e)
		}
	}
}
