package postgres

import "errors"

var (
	// ErrOutOfTime says that the deadline passed after some work was done: call again to continue.
	ErrOutOfTime = errors.New("out of time, call again to continue")
	// ErrUnreachable says that the database does not answer, or closed the connection. It may be
	// restarting or waking up: call again.
	ErrUnreachable = errors.New("the database does not answer")
	// ErrRowsLeft says that a declared backfill has rows left. A contract would lose their data.
	ErrRowsLeft = errors.New("the backfill is not complete")
	// ErrContracted says that a contract has begun. From then on, no expand can be undone.
	ErrContracted = errors.New("the contract has begun: there is no way back")
	// ErrFenced says that a writer with a higher fencing token has changed the schema.
	ErrFenced = errors.New("the lease was lost")
	// ErrChanged says that a file was changed after it ran.
	ErrChanged = errors.New("the file was changed after it ran")
)
