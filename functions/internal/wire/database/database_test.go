package database

import (
	"errors"
	"fmt"
	"testing"

	"lockstep/functions/internal/postgres"
	sm "lockstep/statemachine"
)

// What the machine retries, or ends an execution by, has the machine's name, however deep it was
// wrapped; the rest has none, and gets that of the step.
func TestNamed(t *testing.T) {
	for err, name := range map[error]string{
		postgres.ErrFenced:      sm.LockLost,
		postgres.ErrOutOfTime:   sm.Unfinished,
		postgres.ErrUnreachable: sm.Unreachable,
		postgres.ErrRowsLeft:    "",
		postgres.ErrContracted:  "",
	} {
		wrapped := fmt.Errorf("00002_split.sql: %w: %w", err, errors.New("why"))
		if _, got := words(postgres.Report{}, wrapped); sm.Name(got) != name || !errors.Is(got, err) {
			t.Errorf("%v is named %q, expected %q", got, sm.Name(got), name)
		}
	}

	if said, err := words(postgres.Report{From: 1, To: 2}, nil); err != nil ||
		said != "version 1 to 2" {
		t.Errorf("said %q, %v", said, err)
	}
}
