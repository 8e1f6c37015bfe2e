package page

import (
	"fmt"

	sm "lockstep/statemachine"
)

// shortenCauses leaves a cause whole in the first line of a release that names it, and shortens it
// in those after it: an alarm's reason has three rows of CloudWatch's arithmetic.
func shortenCauses(lines []line, r sm.Record) {
	if r.Cause.Brief() == r.Cause.String() {
		return
	}

	named := false

	for i, l := range lines {
		switch l.kind {
		case sm.EventRollingBack:
			l.Text, l.Full = "rolling back: "+r.Cause.Brief(), l.Text
		case sm.EventEnded:
			l.Text, l.Full = fmt.Sprintf("%s is %s: %s", r.Release, r.Outcome, r.Cause.Brief()), l.Text
		case signalled:
			named = named || l.alarm == r.Cause.Alarm
			continue
		default:
			named = named || l.kind == sm.EventVerdict && l.verdict == sm.Breached
			continue
		}

		if named {
			lines[i] = l
		}

		named = true
	}
}
