package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	sm "lockstep/statemachine"
)

// RecoveryName is that of the execution that recovers a release from a dead one.
func RecoveryName(releaseID, dead string) string {
	sum := sha256.Sum256([]byte(dead))

	return fmt.Sprintf("recover-%s-%s", releaseID, hex.EncodeToString(sum[:6]))
}

// Recovers tells whether an execution was started to recover the lease holder: a recovery that was
// stopped may have taken the lease over after it was found dead.
func Recovers(execution string, h sm.Holder) bool {
	return strings.HasSuffix(execution, ":"+RecoveryName(h.Release, h.Execution))
}
