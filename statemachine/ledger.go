package statemachine

import (
	"slices"
	"time"
)

// The ledger's objects. Each is changed only by a conditional write.

// Revision is in each of them. An ETag is a digest of the content: what is written back as it was
// would have the ETag that it had before, and whoever read it then would not notice what happened
// meanwhile.
type Revision struct {
	After string `json:"after,omitempty"` // the ETag of what this replaced
}

// Replaces says which revision this one replaces.
func (r *Revision) Replaces(etag string) { r.After = etag }

// Lock is ledger/lock.json: who releases now, and who waits. Fence grows each time it changes
// hands.
type Lock struct {
	Revision
	Fence  int64        `json:"fence"`
	Holder *Holder      `json:"holder,omitempty"`
	Queue  []QueueEntry `json:"queue,omitempty"`
	// Frozen is since when a freeze keeps those who wait, though nobody holds the lock.
	Frozen *time.Time `json:"frozen,omitempty"`
	// Unheard are those who were told something in the queue and have not been heard of since: they
	// ended, or are about to end, or to ask anew. Of those that end unrecorded, Recover records the
	// end.
	Notified []QueueEntry `json:"notified,omitempty"`
}

// Holder is the execution that holds the lock.
type Holder struct {
	Release   string `json:"release"`
	Sequence  int64  `json:"sequence"`
	Execution string `json:"execution"`
	// Fence is the one under which the release began; whoever takes the lock over has a newer one.
	Fence int64     `json:"fence"`
	Since time.Time `json:"since"`
	// Recovered is the execution that died last, Recoveries how many did.
	Recovered  string `json:"recovered,omitempty"`
	Recoveries int    `json:"recoveries,omitempty"`
	Timer      bool   `json:"timer,omitempty"` // see Parked
	Attempt           // the call that was made last: one before it writes no more
}

// Parked is an execution that waits for the lock on a task token.
type QueueEntry struct {
	Release   string    `json:"release"`
	Sequence  int64     `json:"sequence"`
	Execution string    `json:"execution"`
	TaskToken string    `json:"taskToken"`
	Since     time.Time `json:"since"`
	Attempt
	// Woken says that it was told to ask for the lock, and keeps its turn until it does.
	Woken  bool `json:"woken,omitempty"`
	Hotfix bool `json:"hotfix,omitempty"` // goes before those who are none
	// Clock says that a freeze made it wind a schedule, which may still be to come.
	Timer bool `json:"timer,omitempty"`
}

// Record is ledger/releases/<id>.json: what happened to a release.
type Record struct {
	Revision
	Release   string `json:"release"`
	Sequence  int64  `json:"sequence"`
	Execution string `json:"execution"`
	// Before are the executions that had it before this one: they have ended, and a Begin of theirs
	// that lingers takes no lock.
	PreviousExecutions []string    `json:"previousExecutions,omitempty"`
	Run                int         `json:"run"`
	Fence              int64       `json:"fence"`
	Active             Environment `json:"active"`
	Fallback           Environment `json:"fallback"`
	// Hotfix is why the release could not wait for its ramp; "" for one that does.
	Hotfix string     `json:"hotfix,omitempty"`
	Began  time.Time  `json:"began"`
	Ended  *time.Time `json:"ended,omitempty"`
	// State is the step last entered; Contracted says that the point of no return was passed.
	State      Task `json:"state"`
	Contracted bool `json:"contracted"`
	// Promoted is when the roles were swapped.
	Promoted *time.Time `json:"promoted,omitempty"`
	Outcome  Outcome    `json:"outcome,omitempty"`
	Cause    Cause      `json:"cause,omitzero"`
	Weight   int        `json:"weight"`
	// Preview is the secret with which testers reach active, from Deploy until the roles are swapped
	// or rolled back.
	Preview string `json:"preview,omitempty"`
	// Weights are the changes of the weight in this run, oldest first.
	Weights []WeightChange `json:"weights,omitempty"`
	// Step is the step of the ramp that was decided on last, before its weight is set.
	Step int `json:"step"`
	// Held is why the release does not go on by itself; nil while it does.
	Held *Held `json:"held,omitempty"`
	// Expanded says that Expand began, so that a rollback has migrations to undo.
	Expanded bool `json:"expanded"`
	// Asked is the call that wrote here last; Lingers says that one was made again, so that the Lambda
	// of the one before may still be at work.
	LastAttempt Attempt `json:"lastAttempt,omitzero"`
	StaleWriter bool    `json:"staleWriter,omitempty"`
	// Wait is the ramp's pause between two steps; nil while a step runs.
	Wait *Wait `json:"wait,omitempty"`
	// Pace is what counts as slow; nil until the verdict has asked.
	Pace *Pace `json:"pace,omitempty"`
	// Signals are what arrived from outside, also while nobody waited.
	Signals []ReceivedSignal `json:"signals,omitempty"`
	// Ringing lists the alarms that were already in ALARM when the release began: they don't count.
	MutedAlarms []string `json:"mutedAlarms,omitempty"`
	Events      []Event  `json:"events,omitempty"`
}

// Executions are all that ever had the release, the newest last.
func (r Record) Executions() []string {
	if r.Execution == "" {
		return r.PreviousExecutions
	}

	return append(slices.Clone(r.PreviousExecutions), r.Execution)
}

// WeightChange is a weight, in basis points, and since when active has it.
type WeightChange struct {
	At     time.Time `json:"at"`
	Weight int       `json:"weight"`
}

// Wait is a ramp step that bakes: whoever holds the token decides once.
type Wait struct {
	TaskToken string     `json:"taskToken"`
	Schedule  string     `json:"schedule,omitempty"`
	Since     time.Time  `json:"since"`
	Until     time.Time  `json:"until"`
	Paused    *time.Time `json:"paused,omitempty"` // since when; nil while the schedule runs
	Document  Document   `json:"document"`         // what the machine gets when the bake is over
}

// Carries is ledger/environments/<env>.json: what an environment carries, layer by layer. Settled
// is false while a step is changing it, so that nobody takes a half-written environment for a
// whole one. Fence is that of the lock under which it was written: should the lock be lost, the
// next one's is newer.
type EnvironmentState struct {
	Revision
	Environment Environment              `json:"environment"`
	InSync      bool                     `json:"inSync"`
	Fence       int64                    `json:"fence,omitempty"`
	Release     string                   `json:"release,omitempty"`
	Sequence    int64                    `json:"sequence,omitempty"`
	Site        *SiteState               `json:"site,omitempty"`
	Functions   map[string]FunctionState `json:"functions,omitempty"`
}

// CarriedSite is the site bundle that an environment carries and the release that brought it.
type SiteState struct {
	Release string `json:"release"`
	Key     string `json:"key"`
	SHA256  string `json:"sha256"`
	Assets  string `json:"assets"`
}

// Carried is the version that an environment's alias names and the release that brought it.
type FunctionState struct {
	Release string `json:"release"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// StateChange is the detail of every event that Lockstep puts on the bus.
type StateChange struct {
	App       string      `json:"app"`
	Release   string      `json:"release"`
	Execution string      `json:"execution"`
	State     Task        `json:"state"`
	Kind      EventKind   `json:"kind"`
	Text      string      `json:"text"`
	Active    Environment `json:"active,omitempty"`
	Weight    int         `json:"weight"`
	Verdict   Verdict     `json:"verdict,omitempty"`
	Held      HeldBy      `json:"held,omitempty"`   // what it waits for, other than time
	Hotfix    string      `json:"hotfix,omitempty"` // why it skips its ramp
	Outcome   Outcome     `json:"outcome,omitempty"`
	Cause     Cause       `json:"cause,omitzero"`
	Notice    Notice      `json:"notice"`
}

// Notice is what somebody needs who did not watch. What it says is always all there: the rule that
// makes a mail of an event can put a field into a line and cannot leave the line out.
type Notice struct {
	// whether it is worth a mail; an hour of ramp has dozens of transitions
	Notable bool   `json:"notable"`
	Where   string `json:"where"` // how far the ramp had got
	Why     string `json:"why"`
	Done    string `json:"done"` // what followed from it so far
	Link    string `json:"link"` // to the execution in the console
}

// Merge is the detail of the event that CI puts on the bus after a merge.
type Merge struct {
	App      string `json:"app"`
	Release  string `json:"release"`
	Sequence int64  `json:"sequence"`
	// Hotfix skips bakes, windows, freezes and approvals, for a reason.
	Hotfix bool   `json:"hotfix,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Operator is the detail of an operator's request.
type Operator struct {
	App     string     `json:"app"`
	Release string     `json:"release,omitempty"` // empty: the one under way
	Action  SignalKind `json:"action"`
	Reason  string     `json:"reason,omitempty"`
}
