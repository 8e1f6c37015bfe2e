package asl

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// run is the state of one execution.
type run struct {
	Execution
	stop    context.CancelCauseFunc
	past    []Event   // the events that are still to be replayed
	last    int64     // id of the latest event
	now     time.Time // the time of the latest event
	entered int64     // id of the event that entered the current state
	since   time.Time // the time of that event
}

var errHistoryFull = &TaskError{
	Name:  Runtime,
	Cause: fmt.Sprintf("The execution reached the maximum number of history events (%d).", MaxEvents),
}

// record adds an event to the history, or replays the one that is there. The last place of a full
// history is kept for the event that ends the execution.
func (r *run) record(e Event) {
	if len(r.past) > 0 {
		r.replay(e)
		return
	}

	if r.last == MaxEvents-1 {
		r.stop(errHistoryFull)
		return
	}

	r.final(e)
}

// final adds an event to the history, also in its last place.
func (r *run) final(e Event) {
	// AWS gives no predecessor to the first state's entry and to an interruption.
	if r.last > 1 && e.ExecutionAborted == nil && e.ExecutionTimedOut == nil {
		e.PreviousEventID = r.last
	}

	r.last++
	e.ID, e.Timestamp = r.last, time.Now()

	r.now = e.Timestamp
	if r.Record != nil {
		r.Record(e)
	}
}

func (r *run) enter(n *node, input any) {
	r.record(Event{Type: n.kind + "StateEntered", StateEntered: &StateEntered{
		Name: n.name, Input: string(encode(input)), InputDetails: &DataDetails{},
	}})
	r.entered, r.since = r.last, r.now
}

// exit records a state's output. Its error is DataLimitExceeded.
func (r *run) exit(n *node, value any) error {
	data := encode(value)
	if len(data) > MaxPayload {
		return tooLarge(n.name)
	}

	r.record(Event{Type: n.kind + "StateExited", StateExited: &StateExited{
		Name: n.name, Output: output(data),
	}})

	return nil
}

func tooLarge(what string) error {
	return &TaskError{Name: DataLimitExceeded, Cause: fmt.Sprintf(
		"The state/task '%s' returned a result with a size exceeding the maximum number of bytes "+
			"service limit.", what)}
}

// scope is what paths of the current state read: its input and the context object, with a token if
// there is one.
func (r *run) scope(n *node, input any, retries int, token string) scope {
	execution, _ := decode(r.Input)

	object := map[string]any{
		"Execution": map[string]any{
			"Id": r.ID, "Name": r.Name, "Input": execution, "StartTime": timestamp(r.StartTime),
		},
		"State": map[string]any{
			"Name": n.name, "EnteredTime": timestamp(r.since), "RetryCount": number(retries),
		},
		"StateMachine": map[string]any{"Id": r.StateMachine.ID, "Name": r.StateMachine.Name},
	}
	if token != "" {
		object["Task"] = map[string]any{"Token": token}
	}

	return scope{input: input, context: object}
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// region is the region in the machine's ARN; "" if the id is no ARN.
func (r *run) region() string {
	if parts := strings.Split(r.StateMachine.ID, ":"); len(parts) > 3 {
		return parts[3]
	}

	return ""
}

// fault words an error in the processing of the state's data as AWS does.
func (r *run) fault(n *node, err error) error {
	e := asTaskError(err)
	if e.Name != Runtime {
		return e
	}

	return runtimeError(
		"An error occurred while executing the state '%s' (entered at the event id #%d). %s",
		n.name, r.entered, e.Cause)
}

// sleep waits until a time, or until the execution is stopped. In a replay the wait is over.
func (r *run) sleep(ctx context.Context, until time.Time) {
	d := time.Until(until)
	if d <= 0 || len(r.past) > 0 {
		return
	}

	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
