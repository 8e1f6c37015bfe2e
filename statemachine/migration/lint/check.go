package lint

import (
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// check holds a file to every rule that needs no other file.
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

		if s.down { // it takes back what nobody relies on yet
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

func (f *file) noDown() {
	for i, a := range f.allowed {
		if a.rule == Down {
			f.allowed[i].used = true
			return
		}
	}

	f.findings = append(f.findings, Finding{f.Name, 1, Down,
		"found no way back, expected statements after \"-- +goose Down\" that undo it"})
}

// control refuses what would take a statement out of the hands of who runs it.
func (f *file) control(s located) {
	switch n := s.node; {
	case n.TransactionStmt != nil && f.Transaction:
		f.findings = append(f.findings, Finding{f.Name, s.line, "",
			"found BEGIN, COMMIT or the like, expected none: the file runs in a transaction, and its " +
				"rehearsal in one that is rolled back"})
	case n.DoStmt != nil:
		f.found(s, s.word("do"), Hidden, "found DO, whose code cannot be checked; write its statements "+
			"out")
	case n.VariableSetStmt != nil && slices.Contains([]string{"lock_timeout", "statement_timeout",
		"transaction_timeout", "deadlock_timeout"}, n.VariableSetStmt.Name):
		f.found(s, s.word(n.VariableSetStmt.Name), Timeout,
			"found SET %s, behind which the application might wait for longer than configured; leave it out", n.VariableSetStmt.Name)
	case n.LockStmt != nil:
		f.found(s, s.word("lock"), Timeout, "found LOCK TABLE, which holds the application up; leave it "+
			"out: each statement takes the lock that it needs")
	}
}

func (f *file) cascade(s located) {
	const text = "found CASCADE, which takes along what the file does not name; drop each object by " +
		"its name, the dependent ones first"

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

// exists refuses to make, in the best of cases, what is there already: a rollback runs the Down,
// which would take it away with all that is in it. An index can be built again.
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

	if found != "" && slices.ContainsFunc(f.statements,
		func(s located) bool { return s.down && drops(s) }) {
		f.found(s, s.word("exists"), Exists, "found %s IF NOT EXISTS and a Down that drops: a rollback "+
			"would take away what was there before, with all that is in it; "+
			"leave IF NOT EXISTS out, in a file with a transaction, and begin with the first migration "+
			"that comes after what is there", found)
	}
}

func drops(s located) bool {
	if s.DropStmt != nil {
		return true
	}

	return s.AlterTableStmt != nil && slices.ContainsFunc(s.AlterTableStmt.Cmds, func(c node) bool {
		return c.AlterTableCmd != nil && c.AlterTableCmd.Subtype == "AT_DropColumn"
	})
}

// runTwice holds files without a transaction to statements that find their own work done: such a
// file may be cut off between two of them, and then runs from its beginning.
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
		f.found(s, s.word(strings.Fields(missing)[0]), RunTwice,
			"found %s in a file with NO TRANSACTION, which runs from its beginning where it was cut off; "+
				"write a statement that may run twice, or put it into a file of its own with a transaction", missing)
	}
}
