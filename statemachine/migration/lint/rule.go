package lint

// Rule is the name of a rule. A comment with it allows what the rule finds:
// -- lockstep:allow drop: why
//
// functions/internal/postgres/README.md says what each rule finds.
type Rule string

// These rules protect the old version in expand.
const (
	Drop    Rule = "drop"
	Rename  Rule = "rename"
	NotNull Rule = "not-null"
	Down    Rule = "down"
	Exists  Rule = "exists"
)

// StillNeeded protects the new version in contract.
const StillNeeded Rule = "still-needed"

// These rules keep the application's queries from waiting, in both phases.
const (
	TypeChange      Rule = "type-change"
	VolatileDefault Rule = "volatile-default"
	Constraint      Rule = "constraint"
	Index           Rule = "index"
	Rewrite         Rule = "rewrite"
	BulkWrite       Rule = "bulk-write"
	Timeout         Rule = "timeout"
)

// These rules make sure that a file does only what it says, and may run twice.
const (
	Cascade  Rule = "cascade"
	Hidden   Rule = "hidden"
	RunTwice Rule = "run-twice"
)

// Allow is the rule for the comments that allow other rules.
const Allow Rule = "allow"

// rules are those that a comment can allow.
var rules = []Rule{Drop, Rename, NotNull, Down, Exists, StillNeeded, TypeChange, VolatileDefault,
	Constraint, Index, Rewrite, BulkWrite, Timeout, Cascade, RunTwice, Hidden}
