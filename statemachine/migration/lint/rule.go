package lint

// Rule is the name by which a comment can allow what is found: -- lockstep:allow drop: why
type Rule string

const (
	// In expand the old version lives on.
	Drop    Rule = "drop"
	Rename  Rule = "rename"
	NotNull Rule = "not-null"
	Down    Rule = "down"
	Exists  Rule = "exists"
	// In contract the new version does.
	StillNeeded Rule = "still-needed"
	// In both, the application's queries must not wait.
	TypeChange      Rule = "type-change"
	VolatileDefault Rule = "volatile-default"
	Constraint      Rule = "constraint"
	Index           Rule = "index"
	Rewrite         Rule = "rewrite"
	BulkWrite       Rule = "bulk-write"
	Timeout         Rule = "timeout"
	// What runs must be what is read, and may run twice.
	Cascade  Rule = "cascade"
	RunTwice Rule = "run-twice"
	Hidden   Rule = "hidden"
	// Comments must mean something.
	Allow Rule = "allow"
)

// rules are those that a comment can allow.
var rules = []Rule{Drop, Rename, NotNull, Down, Exists, StillNeeded, TypeChange, VolatileDefault,
	Constraint, Index, Rewrite, BulkWrite,
	Timeout, Cascade, RunTwice, Hidden}
