package page

import (
	"time"

	"lockstep/statemachine"
)

// Snapshot is the state of the run at one moment, in the contract's own types. The page shows what
// is missing as unknown: the first snapshots of a run are almost empty.
type Snapshot struct {
	App     string
	Now     time.Time // zero: the present
	Control statemachine.Control
	Route   statemachine.Route
	Lock    statemachine.Lock
	Plan    statemachine.RampPlan
	// Environments are the environment states, as the ledger has them.
	Environments map[statemachine.Environment]statemachine.EnvironmentState
	Stages       map[statemachine.Environment]Stage
	// Records are the ledger's records, in any order.
	Records []statemachine.Record
	// Path lists the states that the execution of the newest record entered, from the execution's
	// history. If it is empty, the page derives the path from the record's events.
	Path     []string
	Alarms   []AlarmState
	Traffic  []Series
	Visitors Visitors
	// Frozen is the reason of the freeze in force; "" if there is none.
	Frozen string
	// Offers are the releases that an operator may release, or release again.
	Offers []string
}

// Stage holds the two variables of an API stage.
type Stage struct {
	Alias   string
	Release string
}

// AlarmState is the state of a CloudWatch alarm: State is OK, ALARM or INSUFFICIENT_DATA.
type AlarmState struct {
	Name        string                   `json:"name"`
	Environment statemachine.Environment `json:"environment"`
	State       string                   `json:"state"`
	Reason      string                   `json:"reason,omitempty"`
}

// Series counts the requests to one release, second by second, and those of them that failed. All
// series of a snapshot have the same length and end at the same second.
type Series struct {
	Release  string `json:"release"`
	Requests []int  `json:"requests"`
	Errors   []int  `json:"errors"`
}

// Visitors counts what the simulated viewers saw; visitors.Counters explains the counts.
type Visitors struct {
	Viewers                 int `json:"viewers"`
	PageViews               int `json:"pageViews"`
	Requests                int `json:"requests"`
	Mixed                   int `json:"mixed"`
	StraddledRollback       int `json:"straddledRollback"`
	Failed                  int `json:"failed"`
	FailedOutsideBadRelease int `json:"failedOutsideBadRelease"`
}
