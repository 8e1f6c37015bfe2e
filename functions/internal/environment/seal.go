package environment

import (
	"fmt"

	sm "lockstep/statemachine"
)

// seal is what a rollback writes into every alias where a Lambda that lingers may still be about
// to move one: that has seen its lock held, but not the alias as it is now. A release that goes
// its way needs none.
func seal(doc sm.Document) string {
	if !doc.StaleWriter {
		return ""
	}

	return fmt.Sprintf("rolled back from %s under fence %d", doc.Release, doc.Fence)
}
