package statemachine

import (
	"errors"
	"fmt"
)

// The names that Catch and Retry of the definition match. aws-lambda-go would report the outermost Go
// type, so a wrapped error would slip past them: the Lambda entry returns Name(err) instead.
const (
	InvalidRelease        = "InvalidRelease"
	IncompatibleMigration = "IncompatibleMigration"
	StaleWrite            = "StaleWrite"
	Throttled             = "Throttled"
	Unfinished            = "Unfinished"  // out of time with work left: call again, it goes on where it was
	Unreachable           = "Unreachable" // the database restarts or wakes up: call again, for two minutes
	LockLost              = "LockLost"
	SyncFailed            = "SyncFailed"
	ExpandFailed          = "ExpandFailed"
	DeployFailed          = "DeployFailed"
	ProbeFailed           = "ProbeFailed"
	AlarmBreached         = "AlarmBreached"
	OperatorRollback      = "OperatorRollback"
	ContractFailed        = "ContractFailed"
	RollbackFailed        = "RollbackFailed"
)

// ErrorNames lists every declared name; a test holds it to the definition in both directions.
func ErrorNames() []string {
	return []string{
		InvalidRelease, IncompatibleMigration, StaleWrite, Throttled, Unfinished, Unreachable, LockLost, SyncFailed,
		ExpandFailed, DeployFailed, ProbeFailed, AlarmBreached, OperatorRollback, ContractFailed, RollbackFailed,
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

// Wrap names an error unless it already carries a name of its own: a throttled call inside Deploy is
// Throttled, which is retried, and not DeployFailed, which is rolled back.
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
