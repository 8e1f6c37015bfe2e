package ledger

import (
	"fmt"
	"slices"
	"strings"

	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// notice is what a mail says of an event beside its text.
func notice(r sm.Record, doc sm.Document, event sm.Event) sm.Notice {
	notable := []sm.Task{sm.Begin, sm.Promote, sm.Rollback, sm.Recover, sm.Repair, sm.Finish}
	n := sm.Notice{
		Notable: r.Held != nil || slices.Contains(notable, event.State),
		Where:   "before the ramp", Why: "as planned", Done: "nothing yet",
		Link: consoleLink(doc.Execution),
	}

	var done []string

	for _, e := range r.Events {
		switch {
		case e.At.Before(r.Began): // of an earlier run
		case (e.State == sm.Ramp || e.State == sm.CheckAlarms) && e.Weight != nil:
			n.Where, done = fmt.Sprintf("%s of the viewers, in %s", release.Percent(*e.Weight),
				r.Active), nil
		case e.State == sm.Promote:
			n.Where, done = fmt.Sprintf("promoted: everyone, in %s", r.Active), nil
		case e.State != sm.Begin && e.Kind != sm.EventRollingBack && !e.Same(event):
			done = append(done, e.Text)
		}
	}

	if len(done) > 0 {
		n.Done = strings.Join(done, "; ")
	}

	switch {
	case !r.Cause.IsZero():
		n.Why = r.Cause.String()
	case r.Held != nil && r.Held.Why != "":
		n.Why = r.Held.Why
	case doc.Failure != nil:
		n.Why = doc.Failure.Message()
	case doc.Release == sm.RepairRelease:
		n.Where, n.Why, n.Link = "no release is under way", "lockstep repair was called", ""
	case r.Hotfix != "":
		n.Why = "a hotfix: " + r.Hotfix
	}

	return n
}

// consoleLink is where the console shows an execution, in the partition that its ARN is of.
func consoleLink(execution string) string {
	parts := strings.Split(execution, ":")
	if len(parts) < 4 {
		return ""
	}

	domain, ok := map[string]string{
		"aws-cn":     "console.amazonaws.cn",
		"aws-us-gov": "console.amazonaws-us-gov.com",
	}[parts[1]]
	if !ok {
		domain = parts[3] + ".console.aws.amazon.com"
	}

	return fmt.Sprintf("https://%s/states/home?region=%s#/v2/executions/details/%s", domain, parts[3],
		execution)
}
