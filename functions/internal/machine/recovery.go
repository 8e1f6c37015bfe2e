package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	sm "lockstep/statemachine"
)

// executionDied is the failure for which a release is taken over.
const ExecutionDied = "ExecutionDied"

// recovery names the execution that recovers a release from a dead one.
func RecoveryName(releaseID, dead string) string {
	sum := sha256.Sum256([]byte(dead))
	return fmt.Sprintf("recover-%s-%s", releaseID, hex.EncodeToString(sum[:6]))
}

// recovers tells whether an execution was started for the death of who holds the lock: a recovery that was stopped may have taken
// the lock over after the news of its death.
func Recovers(execution string, h sm.Holder) bool {
	return strings.HasSuffix(execution, ":"+RecoveryName(h.Release, h.Execution))
}
