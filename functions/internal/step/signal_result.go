package step

// SignalResult is what Signal made of an event: the Lambda's answer, and its line in the log.
type SignalResult struct {
	Release string       `json:"release,omitempty"`
	Effect  SignalEffect `json:"effect"`
	Text    string       `json:"text"`
}

// SignalEffect is what an event changed.
type SignalEffect string

const (
	SignalIgnored   SignalEffect = "ignored"   // it concerns no release under way
	SignalTooLate   SignalEffect = "tooLate"   // the release can no longer be changed by it
	SignalDuplicate SignalEffect = "duplicate" // it was acted on before
	SignalRecorded  SignalEffect = "recorded"  // the next step reads it
	SignalAnswered  SignalEffect = "answered"  // it ended a wait
)
