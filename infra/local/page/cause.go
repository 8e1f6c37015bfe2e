package page

import (
	"strings"

	sm "lockstep/statemachine"
)

// brief is a cause as a headline has room for: of an alarm the name, without CloudWatch's arithmetic.
func brief(cause string) string {
	if before, _, ok := strings.Cut(cause, ": Threshold Crossed"); ok {
		return before
	}
	return cause
}

// tellOnce leaves a cause whole where the lines of a release, oldest first, tell it for the first time.
func tellOnce(lines []line, r sm.Record) {
	causes := []string{r.Cause}
	for _, s := range r.Signals {
		causes = append(causes, s.Reason)
	}
	for _, cause := range causes {
		short := brief(cause)
		if short == cause {
			continue
		}
		told := false
		for i, l := range lines {
			if !strings.Contains(l.Text, cause) {
				continue
			}
			if told {
				lines[i].Text, lines[i].Full = strings.ReplaceAll(l.Text, cause, short), l.Text
			}
			told = true
		}
	}
}
