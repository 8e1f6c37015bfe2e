package lint

import (
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// check checks a file by every rule that needs no other file.
func (f *file) check() {
	if f.Phase == migration.Expand && len(f.Down) == 0 {
		f.noDown()
	}

	for _, s := range f.statements {
		f.control(s)
		f.cascade(s)

		if !f.Transaction {
			f.runTwice(s)
		}

		if s.down { // it removes what no version relies on yet
			continue
		}

		if f.Phase == migration.Expand {
			f.exists(s)
		}

		f.shape(s)
		f.locks(s)
		f.defaults(s)
	}
}

// noDown adds the finding of an expand file without a Down, unless a comment allows it.
func (f *file) noDown() {
	for i, a := range f.allowed {
		if a.rule == Down {
			f.allowed[i].used = true
			return
		}
	}

	f.findings = append(f.findings, Finding{f.Name, 1, Down,
		"found no way back, expected statements after \"-- +goose Down\" that undo the file"})
}

// control refuses what would take away the control over transactions, locks and timeouts, or what
// cannot be checked.
func (f *file) control(s located) {
	switch n := s.node; {
	case n.TransactionStmt != nil && f.Transaction:
		f.findings = append(f.findings, Finding{f.Name, s.line, "",
			"found BEGIN, COMMIT or the like, expected none: the file runs in a transaction of its own, " +
				"and its rehearsal in one that is rolled back"})
	case n.DoStmt != nil:
		f.found(s, s.word("do"), Hidden,
			"found DO, whose code cannot be checked; write its statements directly")
	case n.VariableSetStmt != nil && slices.Contains([]string{"lock_timeout", "statement_timeout",
		"transaction_timeout", "deadlock_timeout"}, n.VariableSetStmt.Name):
		name := n.VariableSetStmt.Name
		f.found(s, s.word(name), Timeout, "found SET %s, with which the application might wait for "+
			"longer "+
			"than configured; remove it", name)
	case n.LockStmt != nil:
		f.found(s, s.word("lock"), Timeout, "found LOCK TABLE, which blocks the application; remove it: "+
			"each statement takes the lock that it needs")
	}
}

// cascade refuses CASCADE, which drops more than the file names.
func (f *file) cascade(s located) {
	const text = "found CASCADE, which drops what the file does not name; drop each object by its " +
		"name, " +
		"the dependent ones first"

	switch n := s.node; {
	case n.DropStmt != nil && n.DropStmt.Behavior == "DROP_CASCADE",
		n.TruncateStmt != nil && n.TruncateStmt.Behavior == "DROP_CASCADE":
		f.found(s, s.word("cascade"), Cascade, text)
	case n.AlterTableStmt != nil:
		for _, cmd := range n.AlterTableStmt.Cmds {
			if cmd.AlterTableCmd != nil && cmd.AlterTableCmd.Behavior == "DROP_CASCADE" {
				f.found(s, s.word("cascade"), Cascade, text)
			}
		}
	}
}

// exists refuses IF NOT EXISTS with a Down that drops: if the object existed before, a rollback
// would drop it, with all its data. An index without a transaction is no problem: it can be built
// again, and Expand refuses one that it would adopt.
func (f *file) exists(s located) {
	found := ""

	switch n := s.node; {
	case n.CreateStmt != nil && n.CreateStmt.IfNotExists, n.CreateTableAsStmt != nil &&
		n.CreateTableAsStmt.IfNotExists:
		found = "CREATE TABLE"
	case n.CreateSchemaStmt != nil && n.CreateSchemaStmt.IfNotExists:
		found = "CREATE SCHEMA"
	case n.CreateSeqStmt != nil && n.CreateSeqStmt.IfNotExists:
		found = "CREATE SEQUENCE"
	case n.IndexStmt != nil && n.IndexStmt.IfNotExists && f.Transaction:
		found = "CREATE INDEX"
	case n.AlterTableStmt != nil:
		for _, cmd := range n.AlterTableStmt.Cmds {
			if c := cmd.AlterTableCmd; c != nil && c.Subtype == "AT_AddColumn" && c.MissingOk {
				found = "ADD COLUMN"
			}
		}
	}

	dropped := func(s located) bool { return s.down && drops(s) }
	if found != "" && slices.ContainsFunc(f.statements, dropped) {
		f.found(s, s.word("exists"), Exists, "found %s IF NOT EXISTS and a Down that drops: a rollback "+
			"would drop what existed before, with all its data; remove IF NOT EXISTS, and use a file with "+
			"a transaction. For an existing schema, begin with the first migration after it", found)
	}
}

// drops tells whether a statement drops an object or a column.
func drops(s located) bool {
	if s.DropStmt != nil {
		return true
	}

	return s.AlterTableStmt != nil && slices.ContainsFunc(s.AlterTableStmt.Cmds, func(c node) bool {
		return c.AlterTableCmd != nil && c.AlterTableCmd.Subtype == "AT_DropColumn"
	})
}

// runTwice refuses, in a file without a transaction, a statement that fails if it has run before:
// such a file may be cut off after it, and then runs from its beginning.
func (f *file) runTwice(s located) {
	missing := ""

	switch n := s.node; {
	case n.IndexStmt != nil && !n.IndexStmt.IfNotExists:
		missing = "CREATE INDEX without IF NOT EXISTS"
	case n.CreateStmt != nil && !n.CreateStmt.IfNotExists:
		missing = "CREATE TABLE without IF NOT EXISTS"
	case n.CreateTableAsStmt != nil && !n.CreateTableAsStmt.IfNotExists:
		missing = "CREATE TABLE AS without IF NOT EXISTS"
	case n.CreateSchemaStmt != nil && !n.CreateSchemaStmt.IfNotExists,
		n.CreateSeqStmt != nil && !n.CreateSeqStmt.IfNotExists,
		n.CreateExtensionStmt != nil && !n.CreateExtensionStmt.IfNotExists:
		missing = "CREATE without IF NOT EXISTS"
	case n.CreateFunctionStmt != nil && !n.CreateFunctionStmt.Replace,
		n.CreateTrigStmt != nil && !n.CreateTrigStmt.Replace,
		n.ViewStmt != nil && !n.ViewStmt.Replace:
		missing = "CREATE without OR REPLACE"
	case n.DropStmt != nil && !n.DropStmt.MissingOk:
		missing = "DROP without IF EXISTS"
	case n.AlterEnumStmt != nil && n.AlterEnumStmt.OldVal == "" &&
		!n.AlterEnumStmt.SkipIfNewValIsExists:
		missing = "ADD VALUE without IF NOT EXISTS"
	case n.InsertStmt != nil && n.InsertStmt.OnConflictClause == nil:
		missing = "INSERT without ON CONFLICT"
	case n.AlterTableStmt != nil:
		for _, cmd := range n.AlterTableStmt.Cmds {
			c := cmd.AlterTableCmd
			if c == nil || c.MissingOk {
				continue
			}

			switch c.Subtype {
			case "AT_AddColumn":
				missing = "ADD COLUMN without IF NOT EXISTS"
			case "AT_DropColumn", "AT_DropConstraint":
				missing = "DROP without IF EXISTS"
			case "AT_AddConstraint":
				missing = "ADD CONSTRAINT"
			}
		}
	}

	if missing != "" {
		f.found(s, s.word(strings.Fields(missing)[0]), RunTwice, "found %s in a file with NO "+
			"TRANSACTION, which runs from its beginning again if it is cut off; write a statement that may "+
			"run twice, or put it into a file of its own with a transaction", missing)
	}
}
