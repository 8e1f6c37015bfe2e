package statemachine

import (
	"cmp"
	"time"
)

// Event is one thing that happened to a release. Kind and the fields are what code reads; Text is
// for people and read by nobody else.
type Event struct {
	At    time.Time `json:"at"`
	State Task      `json:"state"`
	Kind  EventKind `json:"kind"`
	Text  string    `json:"text"`
	// Weight is the share of the viewers that active had then, in basis points.
	Weight *int `json:"weight,omitempty"`
	// Verdict is what CheckAlarms found.
	Verdict Verdict `json:"verdict,omitempty"`
}

// Same tells whether two events say the same, whenever they were recorded.
func (e Event) Same(other Event) bool {
	return e.State == other.State && e.Kind == other.Kind && e.Text == other.Text
}

// EventKind is what happened.
type EventKind string

const (
	EventBegan          EventKind = "began"
	EventWaiting        EventKind = "waiting" // in the queue, for the end of a freeze
	EventSynced         EventKind = "synced"
	EventExpanded       EventKind = "expanded"
	EventDeployed       EventKind = "deployed"
	EventProbed         EventKind = "probed"
	EventWeight         EventKind = "weight" // set, or kept for another bake
	EventHeld           EventKind = "held"
	EventPaused         EventKind = "paused"
	EventResumed        EventKind = "resumed"
	EventVerdict        EventKind = "verdict"
	EventPromoted       EventKind = "promoted"
	EventNoMetrics      EventKind = "noMetrics" // they cannot be read for now
	EventDrained        EventKind = "drained"
	EventContracted     EventKind = "contracted"
	EventRollingBack    EventKind = "rollingBack" // why, before anything is done about it
	EventRolledBack     EventKind = "rolledBack"
	EventSchemaRestored EventKind = "schemaRestored"
	EventTakenOver      EventKind = "takenOver"
	EventStopped        EventKind = "stopped" // with the lock held: nothing more is tried
	EventRepaired       EventKind = "repaired"
	EventEnded          EventKind = "ended"
)

// Cause is why a release is rolled back, refused or superseded, or was not contracted.
type Cause struct {
	// Error is the name that the machine knows the failure by: see ErrorNames, and whatever AWS names.
	Error string `json:"error"`
	// Alarm is the alarm that rang, where one did.
	Alarm string `json:"alarm,omitempty"`
	Text  string `json:"text"`
}

// IsZero tells whether there is no cause.
func (c Cause) IsZero() bool { return c == Cause{} }

// String is the cause in words.
func (c Cause) String() string { return cmp.Or(c.Text, c.Error) }

// Brief is the cause as a headline has room for it: of an alarm only the name, without CloudWatch's
// arithmetic.
func (c Cause) Brief() string {
	if c.Alarm != "" {
		return "alarm " + c.Alarm
	}

	return c.String()
}
