package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/states"
	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

const (
	// waits calls f and waits a minute between; parks waits for its token.
	calls = `{"StartAt": "Call", "States": {
		"Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
			"Parameters": {"FunctionName": "f", "Payload.$": "$"}, "Next": "Rest"},
		"Rest": {"Type": "Wait", "Seconds": 60, "End": true}}}`
	parks = `{"StartAt": "Park", "States": {
		"Park": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "HeartbeatSeconds": 100,
			"Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}}, "End": true}}}`
)

// world is the service with an SDK client, the events that it emitted and the calls that it made.
type world struct {
	*sfn.Client
	*states.Service
	t      *testing.T
	answer func(payload string) (output, functionError string, err error)

	mu       sync.Mutex
	payloads []string
	changes  []states.StatusChange
}

// inWorld runs a test in virtual time with the two machines.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, answer: func(payload string) (string, string, error) {
			return payload, "",
				nil
		}}

		w.Service = states.New(func(_ context.Context, _ string, payload []byte) ([]byte, string, error) {
			w.mu.Lock()
			w.payloads = append(w.payloads, string(payload))
			w.mu.Unlock()
			output, functionError, err := w.answer(string(payload))

			return []byte(output), functionError, err
		}, func(source, detailType string, resources []string, detail any) {
			change, ok := detail.(states.StatusChange)
			if !ok || source != "aws.states" || detailType != "Step Functions Execution Status Change" ||
				resources[0] != change.ExecutionARN {
				t.Errorf("emitted %s %s %v %v", source, detailType, resources, detail)
			}

			w.mu.Lock()
			defer w.mu.Unlock()

			w.changes = append(w.changes, change)
		})
		defer w.Close()

		w.Client = sfn.NewFromConfig(
			cloud.NewEndpoint(map[string]http.Handler{"states": w.Service}).Config())
		for name, definition := range map[string]string{"calls": calls, "parks": parks} {
			if _, err := w.Create(name, definition); err != nil {
				t.Fatal(err)
			}
		}

		test(t, w)
	})
}

func machineARN(name string) *string { return aws.String(wire.ARN("states", "stateMachine:"+name)) }

func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()

		if err != nil {
			t.Fatal(err)
		}

		return out
	}
}

func (w *world) begin(machine, name, input string) *string {
	w.t.Helper()

	in := &sfn.StartExecutionInput{StateMachineArn: machineARN(machine), Input: aws.String(input)}
	if name != "" {
		in.Name = &name
	}

	out := must[*sfn.StartExecutionOutput](w.t)(w.StartExecution(w.t.Context(), in))

	synctest.Wait()

	return out.ExecutionArn
}

func (w *world) describe(arn *string) *sfn.DescribeExecutionOutput {
	w.t.Helper()

	return must[*sfn.DescribeExecutionOutput](w.t)(w.DescribeExecution(w.t.Context(),
		&sfn.DescribeExecutionInput{ExecutionArn: arn}))
}

// token is the task token of the latest call.
func (w *world) token() *string {
	var p struct{ Token string }

	_ = json.Unmarshal([]byte(w.payloads[len(w.payloads)-1]), &p)

	return &p.Token
}

// pass advances virtual time and waits for everything that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()

	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// wantCode checks the code of an error, by which the SDK makes it a typed error.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()

	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != code {
		t.Errorf("found %v, expected %s", err, code)
	}
}

func TestExecution_FromStartToEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		started := time.Now()
		arn := w.begin("calls", "one", `{"a":1}`)
		running := w.describe(arn)
		expect(t, "status", running.Status, types.ExecutionStatusRunning)
		pass(2 * time.Minute)

		ended := w.describe(arn)
		expect(t, "status", ended.Status, types.ExecutionStatusSucceeded)
		expect(t, "name", *ended.Name, "one")
		expect(t, "input", *ended.Input, `{"a":1}`)
		expect(t, "output", *ended.Output, `{"a":1}`)
		expect(t, "start", ended.StartDate.UTC(), started.UTC())
		expect(t, "stop", ended.StopDate.UTC(), started.Add(time.Minute).UTC())

		expect(t, "events", len(w.changes), 2)
		change, _ := json.Marshal(w.changes[1])
		expect(t, "event", string(change), fmt.Sprintf(`{"executionArn":%q,"stateMachineArn":%q,"name":"one","status":"SUCCEEDED",`+
			`"startDate":%d,"stopDate":%d,"input":"{\"a\":1}","inputDetails":{"included":true},`+
			`"output":"{\"a\":1}","outputDetails":{"included":true},"error":null,"cause":null,`+
			`"stateMachineVersionArn":null,"stateMachineAliasArn":null,"redriveCount":0,"redriveDate":null}`,
			*arn, *machineARN("calls"), started.UnixMilli(), started.Add(time.Minute).UnixMilli()))
		expect(t, "first event", fmt.Sprint(w.changes[0].Status, w.changes[0].StopDate,
			w.changes[0].Output), "RUNNING<nil> <nil>")

		seen := w.Executions()[0]
		expect(t, "path", seen.Path, []states.Visit{{"Call", started, started},
			{"Rest", started, started.Add(time.Minute)}})
	})
}

func TestStartExecution_Names(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arn := w.begin("calls", "one", `{}`)
		expect(t, "same call again", *w.begin("calls", "one", `{}`), *arn)
		unnamed, another := w.begin("calls", "", `{}`), w.begin("calls", "", `{}`)
		expect(t, "without a name", *unnamed != *another, true)

		start := func(name, input string) error {
			_, err := w.StartExecution(t.Context(), &sfn.StartExecutionInput{
				StateMachineArn: machineARN("calls"), Name: &name, Input: &input,
			})

			return err
		}
		wantCode(t, start("one", `{"other":1}`), "ExecutionAlreadyExists")
		wantCode(t, start("a/b", `{}`), "InvalidName")
		wantCode(t, start(strings.Repeat("n", 81), `{}`), "InvalidName")
		wantCode(t, start("two", `{"a":`), "InvalidExecutionInput")
		wantCode(t, start("two", `"`+strings.Repeat("x", asl.MaxPayload)+`"`), "InvalidExecutionInput")
		pass(2 * time.Minute)
		wantCode(t, start("one", `{}`), "ExecutionAlreadyExists")
		_, err := w.StartExecution(
			t.Context(), &sfn.StartExecutionInput{StateMachineArn: machineARN("gone")})
		wantCode(t, err, "StateMachineDoesNotExist")
		_, err = w.StartExecution(
			t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String("calls")})
		wantCode(t, err, "InvalidArn")
		expect(t, "calls", len(w.payloads), 3)
	})
}

func TestStateMachines(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		expect(t, "same again", must[string](t)(w.Create("calls", calls)), *machineARN("calls"))
		_, err := w.Create("calls", parks)
		expect(t, "another definition", strings.HasPrefix(fmt.Sprint(err), "StateMachineAlreadyExists"),
			true)
		_, err = w.Create("bad", `{"StartAt": "A", "States": {"A": {"Type": "Map"}}}`)
		expect(t, "bad definition", strings.Contains(fmt.Sprint(err),
			`InvalidDefinition: Invalid State Machine Definition: 'state "A": Type: found "Map"`), true)
		list := must[*sfn.ListStateMachinesOutput](t)(w.ListStateMachines(t.Context(), nil))
		expect(t, "machines", len(list.StateMachines), 2)
		m := must[*sfn.DescribeStateMachineOutput](t)(w.DescribeStateMachine(t.Context(),
			&sfn.DescribeStateMachineInput{StateMachineArn: machineARN("calls")}))
		expect(t, "definition", *m.Definition, calls)
	})
}

func TestListExecutions_NewestFirstInPages(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for i := range 5 {
			w.begin("parks", fmt.Sprint("p", i), `{}`)
			w.begin("calls", fmt.Sprint("c", i), `{}`)
		}

		list := func(filter types.ExecutionStatus, size int32, between func()) (names []string) {
			pages := sfn.NewListExecutionsPaginator(w.Client, &sfn.ListExecutionsInput{
				StateMachineArn: machineARN("calls"), StatusFilter: filter, MaxResults: size,
			})
			for pages.HasMorePages() {
				out := must[*sfn.ListExecutionsOutput](t)(pages.NextPage(t.Context()))
				for _, e := range out.Executions {
					names = append(names, *e.Name)
				}

				between()
			}

			return names
		}
		one := sync.OnceFunc(func() { w.begin("calls", "c5", `{}`) })
		expect(t, "pages of two", list("", 2, one), []string{"c4", "c3", "c2", "c1", "c0"})
		pass(2 * time.Minute)
		w.begin("calls", "c6", `{}`)
		expect(t, "running", list(types.ExecutionStatusRunning, 0, func() {}), []string{"c6"})
		expect(t, "succeeded", len(list(types.ExecutionStatusSucceeded, 3, func() {})), 6)
		_, err := w.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: machineARN("calls"), NextToken: aws.String("x")})
		wantCode(t, err, "InvalidToken")
		_, err = w.ListExecutions(
			t.Context(), &sfn.ListExecutionsInput{StateMachineArn: machineARN("gone")})
		wantCode(t, err, "StateMachineDoesNotExist")
	})
}

func TestGetExecutionHistory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		started := time.Now()
		arn := w.begin("calls", "one", `{"a":1}`)

		pass(2 * time.Minute)

		history := func(in sfn.GetExecutionHistoryInput) (events []types.HistoryEvent, pages int) {
			in.ExecutionArn = arn

			p := sfn.NewGetExecutionHistoryPaginator(w.Client, &in)
			for ; p.HasMorePages(); pages++ {
				out := must[*sfn.GetExecutionHistoryOutput](t)(p.NextPage(t.Context()))
				events = append(events, out.Events...)
			}

			return events, pages
		}
		all, _ := history(sfn.GetExecutionHistoryInput{})

		var kinds []types.HistoryEventType
		for _, e := range all {
			kinds = append(kinds, e.Type)
		}

		expect(t, "events", kinds, "[ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited "+
			"WaitStateEntered WaitStateExited ExecutionSucceeded]")
		expect(t, "parameters", *all[2].TaskScheduledEventDetails.Parameters,
			`{"FunctionName":"f","Payload":{"a":1}}`)
		expect(t, "output", *all[8].ExecutionSucceededEventDetails.Output, `{"a":1}`)
		expect(t, "time", all[8].Timestamp.UTC(), started.Add(time.Minute).UTC())

		reverse, pages := history(sfn.GetExecutionHistoryInput{ReverseOrder: true, MaxResults: 4})
		expect(t, "pages", pages, 3)
		expect(t, "last first", fmt.Sprint(reverse[0].Id, reverse[8].Id), "9 1")

		bare, _ := history(sfn.GetExecutionHistoryInput{IncludeExecutionData: aws.Bool(false)})
		expect(t, "name without data", *bare[1].StateEnteredEventDetails.Name, "Call")
		expect(t, "no data", bare[1].StateEnteredEventDetails.Input == nil &&
			bare[8].ExecutionSucceededEventDetails.Output == nil, true)

		_, err := w.GetExecutionHistory(t.Context(),
			&sfn.GetExecutionHistoryInput{ExecutionArn: aws.String(*arn + "x")})
		wantCode(t, err, "ExecutionDoesNotExist")
	})
}

func TestStopExecution(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arn := w.begin("parks", "one", `{}`)
		stop := &sfn.StopExecutionInput{ExecutionArn: arn, Error: aws.String("Operator"),
			Cause: aws.String("enough")}
		first := must[*sfn.StopExecutionOutput](t)(w.StopExecution(t.Context(), stop))

		pass(time.Minute)

		again := must[*sfn.StopExecutionOutput](t)(w.StopExecution(t.Context(), stop))
		expect(t, "stopped again", *again.StopDate, *first.StopDate)

		e := w.describe(arn)
		expect(t, "end", fmt.Sprint(e.Status, " ", *e.Error, " ", *e.Cause), "ABORTED Operator enough")
		expect(t, "event", w.changes[1].Status, asl.Aborted)
		_, err := w.Client.SendTaskSuccess(t.Context(),
			&sfn.SendTaskSuccessInput{TaskToken: w.token(), Output: aws.String("1")})
		wantCode(t, err, "TaskTimedOut")

		stop.Cause = aws.String(strings.Repeat("x", 32_769))
		_, err = w.StopExecution(t.Context(), stop)
		wantCode(t, err, "ValidationException")
	})
}

func TestSendTask(t *testing.T) {
	success := func(w *world, token *string, output string) error {
		_, err := w.Client.SendTaskSuccess(w.t.Context(),
			&sfn.SendTaskSuccessInput{TaskToken: token, Output: &output})

		return err
	}

	t.Run("success", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			arn := w.begin("parks", "one", `{}`)
			wantCode(t, success(w, w.token(), `{"a":`), "InvalidOutput")
			expect(t, "success", success(w, w.token(), `{"a":1}`), nil)
			wantCode(t, success(w, w.token(), `{"a":1}`), "TaskTimedOut")
			wantCode(t, success(w, aws.String("unknown"), `{}`), "InvalidToken")
			synctest.Wait()
			expect(t, "output", *w.describe(arn).Output, `{"a":1}`)
		})
	})
	t.Run("failure", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			arn := w.begin("parks", "one", `{}`)
			in := &sfn.SendTaskFailureInput{TaskToken: w.token(), Error: aws.String("AlarmBreached"),
				Cause: aws.String(strings.Repeat("x", 32_769))}
			_, err := w.Client.SendTaskFailure(w.t.Context(), in)
			wantCode(t, err, "ValidationException")

			in.Cause = aws.String("it rings")
			_, err = w.Client.SendTaskFailure(w.t.Context(), in)
			expect(t, "failure", err, nil)
			synctest.Wait()

			e := w.describe(arn)
			expect(t, "end", fmt.Sprint(e.Status, " ", *e.Error, " ", *e.Cause),
				"FAILED AlarmBreached it rings")
		})
	})
	t.Run("heartbeat", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			arn := w.begin("parks", "one", `{}`)
			beat := func() error {
				_, err := w.Client.SendTaskHeartbeat(w.t.Context(),
					&sfn.SendTaskHeartbeatInput{TaskToken: w.token()})

				return err
			}

			pass(99 * time.Second)
			expect(t, "heartbeat", beat(), nil)
			pass(99 * time.Second)
			expect(t, "status", w.describe(arn).Status, types.ExecutionStatusRunning)
			pass(time.Minute)
			expect(t, "error", *w.describe(arn).Error, "States.Timeout")
			wantCode(t, beat(), "TaskTimedOut")
		})
	})
}

func TestCall_Errors(t *testing.T) {
	for name, c := range map[string]struct {
		output, functionError string
		err                   error
		want                  string
	}{
		"of the function": {`{"errorMessage":"no","errorType":"StaleWrite"}`, "Unhandled", nil,
			"StaleWrite"},
		"without a type": {`{"errorMessage":"Task timed out"}`, "Unhandled", nil, "Lambda.Unknown"},
		"throttled": {"", "", &wire.Error{Status: 429, Code: "TooManyRequestsException",
			Message: "Rate exceeded"}, "Lambda.TooManyRequestsException"},
		"wrapped": {"", "", fmt.Errorf("invoke: %w", &wire.Error{Status: 429,
			Code: "TooManyRequestsException", Message: "Rate exceeded"}),
			"Lambda.TooManyRequestsException"},
		"throttled, in words only": {"", "", errors.New("TooManyRequestsException: slow down"),
			"Lambda.ServiceException"},
		"no such function": {"", "", fmt.Errorf("invoke: %w",
			wire.Refuse("ResourceNotFoundException", "Function not found")),
			"Lambda.ResourceNotFoundException"},
		"of the service": {"", "", errors.New("connection reset"), "Lambda.ServiceException"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answer = func(string) (string, string, error) { return c.output, c.functionError, c.err }
				e := w.describe(w.begin("calls", "one", `{}`))
				expect(t, "error", *e.Error, c.want)

				if c.want == "StaleWrite" {
					expect(t, "cause", *e.Cause, c.output)
				}
			})
		})
	}
}

func TestClose_StopsCallsAndExecutions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said int

		s := states.New(func(ctx context.Context, _ string, _ []byte) ([]byte, string, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		}, func(string, string, []string, any) { said++ })

		arn := must[string](t)(s.Create("calls", calls))
		if _, err := s.Start(arn, "one", ""); err != nil {
			t.Fatal(err)
		}

		synctest.Wait()
		s.Close()
		expect(t, "status", s.Executions()[0].Status, asl.Aborted)
		expect(t, "events", said, 1)

		_, err := s.Start(arn, "two", "")
		expect(t, "start after the end", err != nil, true)
	})
}

func TestServeHTTP_UnknownOperation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("x")})
		wantCode(t, err, "UnknownOperationException")
		expect(t, "names it", strings.Contains(fmt.Sprint(err), "CreateActivity"), true)
	})
}
