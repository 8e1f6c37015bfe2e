package statemachine

import (
	"slices"
	"time"
)

// The ledger's objects. Each is changed only by a conditional write.

// Revision is part of each object. An ETag is a digest of the content: without a revision, content
// that is written back unchanged would have its old ETag again, and a stale reader would not
// notice what happened in between.
type Revision struct {
	After string `json:"after,omitempty"` // the ETag of what this replaced
}

// Replaces says which revision this one replaces.
func (r *Revision) Replaces(etag string) { r.After = etag }

// Lock is ledger/lock.json: the lease holder and the queue. Fence is the fencing token; it grows
// each time the lease changes hands.
type Lock struct {
	Revision
	Fence  int64        `json:"fence"`
	Holder *Holder      `json:"holder,omitempty"`
	Queue  []QueueEntry `json:"queue,omitempty"`
	// Frozen is since when a freeze keeps the lock free although the queue is not empty.
	Frozen *time.Time `json:"frozen,omitempty"`
	// Notified are entries that were answered and have not acknowledged it yet: their execution ended,
	// or is about to end or to ask for the lock. If an end goes unrecorded, Recover records it.
	Notified []QueueEntry `json:"notified,omitempty"`
}

// Holder is the lease holder.
type Holder struct {
	Release   string `json:"release"`
	Sequence  int64  `json:"sequence"`
	Execution string `json:"execution"`
	// Fence is the token under which the release began; a successor has a greater one.
	Fence int64     `json:"fence"`
	Since time.Time `json:"since"`
	// Recovered is the execution that died last, Recoveries how many did.
	Recovered  string `json:"recovered,omitempty"`
	Recoveries int    `json:"recoveries,omitempty"`
	Timer      bool   `json:"timer,omitempty"` // see QueueEntry
	Attempt           // the newest one: an older one may not write
}

// QueueEntry is an execution that waits for the lock on a task token.
type QueueEntry struct {
	Release   string    `json:"release"`
	Sequence  int64     `json:"sequence"`
	Execution string    `json:"execution"`
	TaskToken string    `json:"taskToken"`
	Since     time.Time `json:"since"`
	Attempt
	// Woken says that it was told to ask for the lock. It keeps its turn until it does.
	Woken  bool `json:"woken,omitempty"`
	Hotfix bool `json:"hotfix,omitempty"` // goes before ordinary releases
	// Timer says that it started a timer because of a freeze, which may still be running.
	Timer bool `json:"timer,omitempty"`
}

// Record is ledger/releases/<id>.json: what happened to a release.
type Record struct {
	Revision
	Release   string `json:"release"`
	Sequence  int64  `json:"sequence"`
	Execution string `json:"execution"`
	// PreviousExecutions are those that had the release before this one. They have ended, so a stale
	// Begin of theirs takes no lock.
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
	// Step is the step of the ramp that was decided on last. It is recorded before its weight is set.
	Step int `json:"step"`
	// Held is why the release does not advance by itself; nil while it does.
	Held *Held `json:"held,omitempty"`
	// Expanded says that Expand began, so that a rollback has migrations to undo.
	Expanded bool `json:"expanded"`
	// LastAttempt is the attempt that wrote here last. StaleWriter says that a task was retried, so a
	// stale attempt of it may still be at work.
	LastAttempt Attempt `json:"lastAttempt,omitzero"`
	StaleWriter bool    `json:"staleWriter,omitempty"`
	// Wait is the ramp's pause between two steps; nil while a step runs.
	Wait *Wait `json:"wait,omitempty"`
	// Pace is what counts as slow; nil until the verdict has asked.
	Pace *Pace `json:"pace,omitempty"`
	// Signals are what arrived from outside, also while nobody waited.
	Signals []ReceivedSignal `json:"signals,omitempty"`
	// MutedAlarms were already in ALARM when the release began: they do not count.
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

// EnvironmentState is ledger/environments/<env>.json: what an environment has, layer by layer.
// InSync is false while a step is changing it, so that nobody takes a half-written environment for
// a complete one. Fence is the fencing token under which it was written.
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

// SiteState is the site bundle that an environment has, and the release that brought it.
type SiteState struct {
	Release string `json:"release"`
	Key     string `json:"key"`
	SHA256  string `json:"sha256"`
	Assets  string `json:"assets"`
}

// FunctionState is the version that an environment's alias names, and the release that brought it.
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

// Notice tells somebody who did not watch what they need to know. Every field has a text: the rule
// that turns an event into a mail can put a field into a line, and cannot leave the line out.
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
