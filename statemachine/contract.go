// Package statemachine is the contract between the state machine, the Lambdas that are its steps,
// the infrastructure that runs both and the command that speaks to them. It imports only the
// standard library: every other package may import it, and it imports none of them.
package statemachine

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"time"
)

// Definition is the only definition of the release, in the Amazon States Language. The placeholders
// ${Begin}, ${Sync}, ... stand for the ARNs of the Lambdas and are filled in by whoever deploys it.
//
//go:embed release.asl.json
var Definition string

// Task is one step of a release: the same word for its folder, file, type, state and Lambda.
type Task string

const (
	Begin       Task = "Begin"
	Sync        Task = "Sync"
	Expand      Task = "Expand"
	Deploy      Task = "Deploy"
	Probe       Task = "Probe"
	Ramp        Task = "Ramp"
	CheckAlarms Task = "CheckAlarms"
	Promote     Task = "Promote"
	Drain       Task = "Drain"
	Contract    Task = "Contract"
	Rollback    Task = "Rollback"
	Finish      Task = "Finish"

	// UndoExpand is what Expand is called in the definition and in the story where it takes back what
	// it did.
	UndoExpand Task = "UndoExpand"

	// Signal and Recover stand behind EventBridge rules, not in the machine; Repair is the operator's
	// to call.
	Signal  Task = "Signal"
	Recover Task = "Recover"
	Repair  Task = "Repair"
)

// Tasks lists the Lambdas that the machine calls, in the order of a release that goes well.
func Tasks() []Task {
	return []Task{Begin, Sync, Expand, Deploy, Probe, Ramp, CheckAlarms, Promote, Drain, Contract,
		Rollback, Finish}
}

// Functions lists all of Lockstep's Lambdas.
func Functions() []Task { return append(Tasks(), Signal, Recover, Repair) }

// BeginInput is what the machine hands to Begin. Event is the input of the execution as it came: a
// merge event, an S3 event, or what an operator typed into the console.
type BeginInput struct {
	Attempt
	Execution string          `json:"execution"`
	TaskToken string          `json:"taskToken"`
	Event     json.RawMessage `json:"event"`
}

// Attempt is one call of a task by the state machine: when the state was entered, and how often it
// was retried since. A Lambda may outlive its attempt: what it still does must not undo what a
// newer attempt did, of the same step or of a later one.
type Attempt struct {
	Entered time.Time `json:"entered,omitzero"`
	Retry   int       `json:"retry,omitempty"`
}

// Before tells whether b is the newer attempt.
func (a Attempt) Before(b Attempt) bool {
	return a.Entered.Before(b.Entered) || a.Entered.Equal(b.Entered) && a.Retry < b.Retry
}

// RampInput is what the machine hands to Ramp, which answers through the token.
type RampInput struct {
	Attempt
	TaskToken string   `json:"taskToken"`
	Document  Document `json:"document"`
}

// StepInput is what the machine hands to every other step, which answers with the document.
type StepInput struct {
	Attempt
	Document Document `json:"document"`
}

// UnmarshalJSON also takes the document alone: so an execution hands it over that began before
// steps were told when they are called.
func (s *StepInput) UnmarshalJSON(data []byte) error {
	var in struct {
		Attempt
		Document *Document `json:"document"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}

	if in.Document == nil {
		*s = StepInput{}
		return json.Unmarshal(data, &s.Document)
	}

	*s = StepInput{Attempt: in.Attempt, Document: *in.Document}

	return nil
}

// Document travels through the machine: every other Lambda takes it and returns it. It carries ids;
// the ledger carries the rest. Fields that a Choice or a Wait reads are never omitted.
type Document struct {
	Execution string `json:"execution"`
	Release   string `json:"release"`
	Sequence  int64  `json:"sequence"`
	// Fence is the number of the lock that this execution holds; zero where it holds none.
	Fence int64 `json:"fence"`
	// Attempt is the one that the document was handed to.
	Attempt Attempt `json:"attempt,omitzero"`
	// Active and Fallback are the roles as Begin found them; a promotion does not change them here.
	Active   Environment `json:"active"`
	Fallback Environment `json:"fallback"`

	// Next is where the machine goes after Begin.
	Next Next `json:"next"`
	// Hotfix skips bakes, windows, freezes and approvals; why is in the record.
	Hotfix bool `json:"hotfix"`
	// First says that the fallback carries nothing yet: there is nobody to protect and nothing to
	// compare with.
	First bool `json:"first"`
	// Step counts the ramp's steps taken; Weight is the share of active in basis points.
	Step       int     `json:"step"`
	Weight     int     `json:"weight"`
	Extensions int     `json:"extensions"`
	Verdict    Verdict `json:"verdict"`
	// Waived says that the operator ended the bake: a verdict that lacks evidence does not hold it up.
	Waived bool `json:"waived"`
	// Held says that the ramp waited for leave to grow, not for the end of a bake; Holds counts how
	// often.
	Held     bool `json:"held"`
	Holds    int  `json:"holds"`
	Promoted bool `json:"promoted"`
	Drained  bool `json:"drained"`
	// WaitSeconds is how long the next Wait state waits.
	WaitSeconds int     `json:"waitSeconds"`
	Outcome     Outcome `json:"outcome"`
	// Lingers says that a Lambda may still be at work which the machine gave up, or whose execution
	// died.
	StaleWriter bool `json:"staleWriter,omitempty"`
	// Failure is what a Catch, or a step that answers with data, found wrong.
	Failure *Failure `json:"failure,omitempty"`
	// Event is the execution's input, kept where no release could be made of it.
	Event json.RawMessage `json:"event,omitempty"`
}

// Failure has the form that a Catch of Step Functions writes. A step that answers with data says
// which alarm rang, too.
type Failure struct {
	Error string `json:"Error"`
	Cause string `json:"Cause"`
	Alarm string `json:"Alarm,omitempty"`
}

// AsCause is the failure as a record keeps it; the alarm of a failure that was thrown stands in the
// record's signals.
func (f *Failure) AsCause(r Record) Cause {
	if f == nil {
		return Cause{}
	}

	cause := Cause{Error: f.Error, Alarm: f.Alarm, Text: f.Message()}
	if cause.Alarm != "" || f.Error != AlarmBreached {
		return cause
	}

	for _, s := range r.Signals { // the first alarm is the one that ends the release
		if s.Kind == SignalAlarm {
			cause.Alarm = s.Alarm
			break
		}
	}

	return cause
}

// Message is the cause in words: Step Functions wraps what a Lambda said in its error object.
func (f *Failure) Message() string {
	if f == nil {
		return ""
	}

	var lambda struct {
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(f.Cause), &lambda) == nil && lambda.ErrorMessage != "" {
		return lambda.ErrorMessage
	}

	return cmp.Or(f.Cause, f.Error) // a timeout comes without a cause
}

// Next is where the machine goes after Begin.
type Next string

const (
	NextSync     Next = "sync"     // the lock is held: go on
	NextBegin    Next = "begin"    // the lock fell free: ask for it again
	NextFinish   Next = "finish"   // superseded while waiting
	NextRollback Next = "rollback" // taken over from a dead execution, before contract
	NextContract Next = "contract" // taken over from a dead execution, from contract on
)

// Verdict is what the metrics say of the active environment.
type Verdict string

const (
	Healthy      Verdict = "healthy"
	Breached     Verdict = "breached"
	Inconclusive Verdict = "inconclusive"
)

// Outcome is how a merge ended.
type Outcome string

const (
	Released   Outcome = "released"
	RolledBack Outcome = "rolledBack"
	Superseded Outcome = "superseded"
	Refused    Outcome = "refused"
)

// String is the outcome in a sentence: a release was released, rolled back, superseded or refused.
func (o Outcome) String() string {
	if o == RolledBack {
		return "rolled back"
	}

	return string(o)
}
