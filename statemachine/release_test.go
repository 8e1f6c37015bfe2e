package statemachine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// fakes are Lambdas that do nothing but move the document on; fail makes one of them fail from a
// call on.
type fakes struct {
	t      *testing.T
	tokens asl.Tokens
	fail   map[Task]string
	begin  Document
	ramps  int
	checks []Verdict
}

func (f *fakes) invoke(_ context.Context, function string,
	payload json.RawMessage) (json.RawMessage, error) {
	task := Task(function)
	if name := f.fail[task]; name != "" {
		cause, _ := json.Marshal(map[string]string{"errorMessage": "it broke", "errorType": name})
		return nil, &asl.TaskError{Name: name, Cause: string(cause)}
	}

	if task == Begin {
		var in BeginInput
		f.read(payload, &in)

		if in.Execution == "" || string(in.Event) != `{"release":"v2"}` {
			f.t.Errorf("Begin got %s", payload)
		}

		return json.RawMessage("null"), f.answer(in.TaskToken, f.begin)
	}

	if task == Ramp {
		var in RampInput
		f.read(payload, &in)
		f.ramps++
		in.Document.Weight = min(5000*f.ramps, FullWeight)

		time.AfterFunc(24*time.Hour, func() { _ = f.answer(in.TaskToken, in.Document) })

		return json.RawMessage("null"), nil
	}

	var in StepInput
	f.read(payload, &in)

	if in.Entered.IsZero() || in.Document.Next == "" && task != Finish {
		f.t.Errorf("%s got %s", task, payload)
	}

	d := in.Document

	switch task {
	case CheckAlarms:
		d.Verdict, f.checks = f.checks[0], f.checks[1:]
		if d.Verdict == Breached {
			d.Failure = &Failure{Error: AlarmBreached, Cause: "shop-a-errors is ringing"}
		}
	case Drain:
		d.Drained, d.WaitSeconds = d.WaitSeconds > 0, 3600
	case Rollback:
		d.WaitSeconds = 29
	case Finish:
		if d.Outcome == "" {
			d.Outcome = Released
		}

		if d.Failure != nil && d.Outcome == Released && d.Failure.Error != ContractFailed {
			d.Outcome = RolledBack
		}
	}

	output, err := json.Marshal(d)

	return output, err
}

func (f *fakes) read(payload json.RawMessage, into any) {
	if err := DecodeStrict(payload, into); err != nil {
		f.t.Errorf("payload %s: %v", payload, err)
	}
}

func (f *fakes) answer(token string, d Document) error {
	output, err := json.Marshal(d)
	if err != nil {
		return err
	}

	return f.tokens.Succeed(token, output)
}

// run runs the definition and answers the states it entered and how it ended.
func (f *fakes) run() (path string, result asl.Result) {
	f.t.Helper()

	machine, err := asl.Parse(definition())
	if err != nil {
		f.t.Fatal(err)
	}

	var entered []string

	result = machine.Run(f.t.Context(), asl.Execution{
		ID: "arn:aws:states:us-east-1:123456789012:execution:lockstep-shop:v2", Name: "v2",
		Input: json.RawMessage(`{"release":"v2"}`), StartTime: time.Now(),
		StateMachine: asl.StateMachine{ID: "arn:aws:states:us-east-1:123456789012:stateMachine:lockstep-shop", Name: "lockstep-shop"},
		Invoke:       f.invoke,
		Tokens:       &f.tokens,
		Record: func(e asl.Event) {
			if e.StateEntered != nil {
				entered = append(entered, e.StateEntered.Name)
			}
		},
	})

	return strings.Join(entered, " "), result
}

const (
	untilProbed = "Begin Begun Sync Expand Deploy Probe Probed "
	untilRamped = untilProbed + "Ramp Baked CheckAlarms Judged Ramp Baked CheckAlarms Judged Promote "
	drained     = "Drain Drained OldTabsOpen Drain Drained Contract "
	rolledBack  = "Rollback CallsInFlight UndoExpand Finish Ended RolledBack"
)

func TestRelease_Paths(t *testing.T) {
	good := Document{Next: NextSync, Release: "v2"}
	for name, c := range map[string]struct {
		fail   map[Task]string
		begin  Document
		checks []Verdict
		path   string
		end    string
	}{
		"goes well": {path: untilRamped + drained + "Finish Ended Released",
			end: "SUCCEEDED "},
		"first release": {begin: Document{Next: NextSync, First: true}, path: untilProbed +
			"Promote " + drained + "Finish Ended Released", end: "SUCCEEDED "},
		"inconclusive bake": {checks: []Verdict{Inconclusive, Healthy}, path: untilRamped + drained +
			"Finish Ended Released", end: "SUCCEEDED "},
		"breach": {checks: []Verdict{Breached}, path: untilProbed +
			"Ramp Baked CheckAlarms Judged " + rolledBack, end: "FAILED RolledBack"},
		"superseded": {begin: Document{Next: NextFinish, Outcome: Superseded},
			path: "Begin Begun Finish Ended Superseded", end: "SUCCEEDED "},
		"taken over": {begin: Document{Next: NextRollback, Failure: &Failure{Cause: "died"}},
			path: "Begin Begun " + rolledBack, end: "FAILED RolledBack"},
		"taken over, contract": {begin: Document{Next: NextContract},
			path: "Begin Begun Contract Finish Ended Released", end: "SUCCEEDED "},
		"Begin refuses": {fail: map[Task]string{Begin: InvalidRelease},
			path: "Begin Refuse Finish Ended Refused", end: "FAILED Refused"},
		"Begin breaks": {fail: map[Task]string{Begin: "Runtime.ExitError"},
			path: "Begin Refuse Finish Ended Refused", end: "FAILED Refused"},
		"Sync fails": {fail: map[Task]string{Sync: SyncFailed}, path: "Begin Begun Sync " +
			rolledBack, end: "FAILED RolledBack"},
		"Sync loses the lock": {fail: map[Task]string{Sync: LockLost},
			path: "Begin Begun Sync LostTheLock", end: "FAILED LockLost"},
		"Deploy fails": {fail: map[Task]string{Deploy: DeployFailed},
			path: "Begin Begun Sync Expand Deploy " + rolledBack, end: "FAILED RolledBack"},
		"Deploy is throttled": {fail: map[Task]string{Deploy: Throttled},
			path: "Begin Begun Sync Expand Deploy " + rolledBack, end: "FAILED RolledBack"},
		"Probe fails": {fail: map[Task]string{Probe: ProbeFailed},
			path: "Begin Begun Sync Expand Deploy Probe " + rolledBack, end: "FAILED RolledBack"},
		"Ramp hears an alarm": {fail: map[Task]string{Ramp: AlarmBreached}, path: untilProbed + "Ramp " +
			rolledBack, end: "FAILED RolledBack"},
		"CheckAlarms breaks": {fail: map[Task]string{CheckAlarms: "Lambda.Unknown"}, path: untilProbed +
			"Ramp Baked CheckAlarms " + rolledBack, end: "FAILED RolledBack"},
		"Promote fails": {fail: map[Task]string{Promote: OperatorRollback}, path: untilRamped +
			rolledBack, end: "FAILED RolledBack"},
		"Drain hears an alarm": {fail: map[Task]string{Drain: AlarmBreached}, path: untilRamped +
			"Drain " + rolledBack, end: "FAILED RolledBack"},
		"Contract fails": {fail: map[Task]string{Contract: ContractFailed}, path: untilRamped +
			drained + "Finish Ended Released", end: "SUCCEEDED "},
		"Contract never began": {fail: map[Task]string{Contract: AlarmBreached}, path: untilRamped +
			drained + rolledBack, end: "FAILED RolledBack"},
		"Expand fails, and so does undoing it": {fail: map[Task]string{Expand: ExpandFailed},
			path: "Begin Begun Sync Expand Rollback CallsInFlight UndoExpand RollbackFailed",
			end:  "FAILED RollbackFailed"},
		"Rollback fails too": {fail: map[Task]string{Deploy: DeployFailed, Rollback: RollbackFailed},
			path: "Begin Begun Sync Expand Deploy Rollback RollbackFailed", end: "FAILED RollbackFailed"},
		"Finish fails": {fail: map[Task]string{Finish: StaleWrite},
			path: untilRamped + drained + "Finish", end: "FAILED StaleWrite"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, fail: c.fail, begin: c.begin, checks: c.checks}
				if f.begin.Next == "" {
					f.begin = good
				}

				f.checks = append(f.checks, Healthy, Healthy)

				path, result := f.run()
				if path != c.path {
					t.Errorf("states:\n got %s\nwant %s", path, c.path)
				}

				if end := fmt.Sprintf("%s %s", result.Status, result.Error); end != c.end {
					t.Errorf("ended %s (%s), expected %s", end, result.Cause, c.end)
				}
			})
		})
	}
}
