package machine

import (
	"lockstep/functions/internal/machine"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine"
)

// asked is what Step Functions was asked last.
type asked struct {
	operation string
	body      map[string]any
}

// answering is a machine behind which Step Functions always gives the same answer.
func answering(t *testing.T, result any, code string) (*Machine, *asked) {
	last := &asked{}
	endpoint := cloud.NewEndpoint(
		map[string]http.Handler{"states": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			last.operation, last.body = wire.Operation(r), nil
			if err := wire.Read(r, &last.body); err != nil {
				t.Error(err)
			}

			var err error
			if code != "" {
				err = wire.Refuse(code, "no")
			}

			wire.Answer(w, r, result, err)
		})})

	return New(sfn.NewFromConfig(endpoint.Config()),
		"arn:aws:states:us-east-1:123456789012:stateMachine:shop"), last
}

func TestSucceedAndFail(t *testing.T) {
	for code, want := range map[string]struct {
		delivered bool
		name      string
		failed    bool
	}{
		"":                      {delivered: true},
		"TaskTimedOut":          {},
		"TaskDoesNotExist":      {},
		"InvalidToken":          {},
		"AccessDeniedException": {failed: true},
		"InvalidOutput":         {failed: true},
		"ThrottlingException":   {failed: true, name: statemachine.Throttled},
	} {
		synctest.Test(t, func(t *testing.T) { // the SDK waits before it repeats what was throttled
			m, last := answering(t, nil, code)

			delivered, err := m.Succeed(t.Context(), "token", statemachine.Document{Release: "v2"})
			if delivered != want.delivered || (err != nil) != want.failed ||
				statemachine.Name(err) != want.name {
				t.Errorf("%s: succeed: got %v, %v", code, delivered, err)
			}

			if output, _ := last.body["output"].(string); last.body["taskToken"] != "token" ||
				!strings.Contains(output, `"release":"v2"`) {
				t.Errorf("succeed: sent %v", last.body)
			}

			delivered, err = m.Fail(t.Context(), "token", statemachine.AlarmBreached,
				strings.Repeat("é", 40_000))
			if delivered != want.delivered || (err != nil) != want.failed ||
				statemachine.Name(err) != want.name {
				t.Errorf("%s: fail: got %v, %v", code, delivered, err)
			}

			cause, _ := last.body["cause"].(string)
			if last.body["error"] != statemachine.AlarmBreached || len(cause) > 32768 ||
				!strings.HasSuffix(cause, "é ...") {
				t.Errorf("fail: sent %v with a cause of %d bytes", last.body["error"], len(cause))
			}
		})
	}
}

func TestStart(t *testing.T) {
	for code, failed := range map[string]bool{"": false, "ExecutionAlreadyExists": false,
		"StateMachineDoesNotExist": true} {
		m, last := answering(t, map[string]any{"executionArn": "x", "startDate": 1}, code)

		err := m.Start(t.Context(), "recover-1", map[string]string{"release": "v2"})
		if (err != nil) != failed {
			t.Errorf("%s: got %v", code, err)
		}

		if last.body["name"] != "recover-1" || last.body["input"] != `{"release":"v2"}` {
			t.Errorf("%s: sent %v", code, last.body)
		}
	}
}

func TestLook(t *testing.T) {
	for status, running := range map[string]bool{"RUNNING": true, "PENDING_REDRIVE": true,
		"SUCCEEDED": false, "ABORTED": false} {
		m, _ := answering(t, map[string]any{"status": status, "error": "Stopped", "executionArn": "x",
			"stateMachineArn": "y", "startDate": 1}, "")
		if got, err := m.Look(t.Context(), "x"); got != (machine.Execution{Running: running,
			Status: status, Error: "Stopped"}) || err != nil {
			t.Errorf("%s: got %+v, %v", status, got, err)
		}
	}

	m, _ := answering(t, nil, "ExecutionDoesNotExist")
	if got, err := m.Look(t.Context(), "x"); got != (machine.Execution{}) || err != nil {
		t.Errorf("no such execution: got %+v, %v", got, err)
	}

	m, _ = answering(t, nil, "InvalidArn")
	if _, err := m.Look(t.Context(), "x"); err == nil {
		t.Error("a bad ARN is no answer")
	}
}
