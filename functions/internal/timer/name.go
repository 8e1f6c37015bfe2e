package timer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	sm "lockstep/statemachine"
)

// FreezeName is the schedule by which an execution looks again whether a freeze is over.
func FreezeName(execution string) string { return hashed(execution + "/frozen") }

// BakeName is the schedule that ends a bake, one per bake: a retried Ramp finds its own schedule
// and gives it the new token.
func BakeName(doc sm.Document) string {
	return hashed(fmt.Sprintf("%s/%d/%d/%d", doc.Execution, doc.Step, doc.Extensions, doc.Holds))
}

// hashed is a name within the 64 characters that EventBridge Scheduler takes.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))

	return "lockstep-" + hex.EncodeToString(sum[:12])
}
