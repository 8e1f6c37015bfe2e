package page

import (
	"time"

	"lockstep/statemachine"
)

// Snapshot is how things stand at one moment, in the contract's own types. Whatever is missing is
// shown as unknown: a snapshot of the first second has next to nothing.
type Snapshot struct {
	App     string
	Now     time.Time
	Control statemachine.Control
	Route   statemachine.Route
	Lock    statemachine.Lock
	Plan    statemachine.RampPlan
	Carries map[statemachine.Environment]statemachine.EnvironmentState
	Stages  map[statemachine.Environment]Stage
	// Records are the ledger's, in any order.
	Records []statemachine.Record
	// Path lists the states that the execution of the newest record entered, from its history; empty:
	// the record's story is read instead.
	Path     []string
	Alarms   []Alarm
	Traffic  []Series
	Visitors Visitors
	// Frozen is why nothing grows or begins; "" while things may.
	Frozen string
	// Offers are the releases that an operator may release (again).
	Offers []string
}

// Stage is what the two stage variables of an API stage say.
type Stage struct {
	Alias   string
	Release string
}

// Alarm is a CloudWatch alarm: its State is OK, ALARM or INSUFFICIENT_DATA.
type Alarm struct {
	Name        string                   `json:"name"`
	Environment statemachine.Environment `json:"environment"`
	State       string                   `json:"state"`
	Reason      string                   `json:"reason,omitempty"`
}

// Series is what one release was asked, second by second; all series end at the same second.
type Series struct {
	Release  string `json:"release"`
	Requests []int  `json:"requests"`
	Errors   []int  `json:"errors"`
}

// Visitors counts what the simulated viewers saw.
type Visitors struct {
	Viewers                 int `json:"viewers"`
	PageViews               int `json:"pageViews"`
	Requests                int `json:"requests"`
	Mixed                   int `json:"mixed"`
	StraddledRollback       int `json:"straddledRollback"`
	Failed                  int `json:"failed"`
	FailedOutsideBadRelease int `json:"failedOutsideBadRelease"`
}
