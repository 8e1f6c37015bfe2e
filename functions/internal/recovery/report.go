package recovery

// Report is what Recover did: the Lambda's answer, and its line in the log. It is empty where all
// is well.
type Report struct {
	Actions []Action `json:"actions,omitempty"`
}

// Action is one thing that Recover did.
type Action struct {
	Kind      ActionKind `json:"kind"`
	Release   string     `json:"release,omitempty"`
	Execution string     `json:"execution,omitempty"`
}

// ActionKind is what was done.
type ActionKind string

const (
	ActionNone      ActionKind = ""
	ActionRecovered ActionKind = "recovered" // another execution was started to take the lease over
	ActionStopped   ActionKind = "stopped"   // tried often enough: the lock stays held
	ActionRecorded  ActionKind = "recorded"  // the end of a merge was recorded and announced
	ActionTimer     ActionKind = "timer"     // the timer of a bake was started again
)

func reportOf(actions ...Action) Report {
	var r Report

	for _, a := range actions {
		if a.Kind != ActionNone {
			r.Actions = append(r.Actions, a)
		}
	}

	return r
}
