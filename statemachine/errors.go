package statemachine

import (
	"errors"
	"fmt"
)

// The names that Catch and Retry of the definition match. aws-lambda-go would report the outermost
// Go type, so a wrapped error would slip past them: the Lambda entry returns Name(err) instead.
const (
	InvalidRelease        = "InvalidRelease"
	IncompatibleMigration = "IncompatibleMigration"
	StaleWrite            = "StaleWrite"
	Throttled             = "Throttled"
	// out of time with work left: call again, it goes on where it was
	Unfinished = "Unfinished"
	// the database restarts or wakes up: call again, for two minutes
	Unreachable   = "Unreachable"
	LockLost      = "LockLost"
	SyncFailed    = "SyncFailed"
	ExpandFailed  = "ExpandFailed"
	DeployFailed  = "DeployFailed"
	ProbeFailed   = "ProbeFailed"
	AlarmBreached = "AlarmBreached" // an alarm rang
	Regression    = "Regression"    // active is worse than the fallback
	// the metrics never said enough, and the ramp says to roll back then
	NoVerdict        = "NoVerdict"
	OperatorRollback = "OperatorRollback"
	ContractFailed   = "ContractFailed"
	RollbackFailed   = "RollbackFailed"
)

// The names of causes that no error has: the machine matches none of them.
const (
	CauseSuperseded    = "Superseded"    // a newer merge waits in its place
	CauseExecutionDied = "ExecutionDied" // stopped, timed out, or failed at run time
	CauseUnexplained   = "Unexplained"   // no step said why
)

// ErrorNames lists every declared name; a test holds it to the definition in both directions.
func ErrorNames() []string {
	return []string{
		InvalidRelease, IncompatibleMigration, StaleWrite, Throttled, Unfinished, Unreachable, LockLost,
		SyncFailed,
		ExpandFailed, DeployFailed, ProbeFailed, AlarmBreached, Regression, NoVerdict, OperatorRollback,
		ContractFailed, RollbackFailed,
	}
}

// Error is an error that the machine knows by name: what was attempted, and what came of it.
type Error struct {
	Name string
	Op   string
	Err  error
}

// Errorf makes a named error from a sentence; %w wraps as in fmt.Errorf.
func Errorf(name, format string, args ...any) error {
	return &Error{Name: name, Err: fmt.Errorf(format, args...)}
}

// Wrap names an error unless it already carries a name of its own: a throttled call inside Deploy
// is Throttled, which is retried, and not DeployFailed, which is rolled back.
func Wrap(name, op string, err error) error {
	if err == nil {
		return nil
	}

	if Name(err) != "" {
		return fmt.Errorf("%s: %w", op, err)
	}

	return &Error{Name: name, Op: op, Err: err}
}

func (e *Error) Error() string {
	if e.Op == "" {
		return e.Err.Error()
	}

	return e.Op + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Name is the error's declared name, however deep it was wrapped, or "".
func Name(err error) string {
	var named *Error
	if errors.As(err, &named) {
		return named.Name
	}

	return ""
}

// Is lets errors.Is(err, &Error{Name: StaleWrite}) match by name.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Name == e.Name && t.Err == nil
}

// Transient tells whether the same call may succeed when it is made again. A lost lease never does.
func Transient(err error) bool {
	switch Name(err) {
	case StaleWrite, Throttled, Unfinished, Unreachable:
		return true
	}

	return false
}

// CorruptError is about an object that must be there and make sense: it is missing, was written
// over, or cannot be parsed.
type CorruptError struct {
	Object string
	Err    error
}

// Corrupt says so of an object.
func Corrupt(object string, err error) error { return &CorruptError{Object: object, Err: err} }

func (e *CorruptError) Error() string { return e.Object + ": " + e.Err.Error() }

func (e *CorruptError) Unwrap() error { return e.Err }

// IsCorrupt tells whether an error is about what an object holds, and not about reaching it.
func IsCorrupt(err error) bool {
	var corrupt *CorruptError

	return errors.As(err, &corrupt)
}
