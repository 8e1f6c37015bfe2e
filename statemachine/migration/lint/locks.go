package lint

// locks refuses what reads or rewrites a table while it blocks the application's queries.
func (f *file) locks(s located) {
	n := s.node
	switch {
	case n.AlterTableStmt != nil && !f.makes(n.AlterTableStmt.Relation):
		a := n.AlterTableStmt
		for _, cmd := range a.Cmds {
			if cmd.AlterTableCmd != nil {
				f.altered(s, a.Relation.Relname, *cmd.AlterTableCmd)
			}
		}
	case n.IndexStmt != nil:
		f.indexed(s, *n.IndexStmt)
	case n.DropStmt != nil && n.DropStmt.Concurrent && f.Transaction,
		n.ReindexStmt != nil && has(n.ReindexStmt.Params, "concurrently") && f.Transaction:
		f.found(s, s.word("concurrently"), Index, concurrently)
	case n.ReindexStmt != nil && !has(n.ReindexStmt.Params, "concurrently"):
		f.found(s, s.word("reindex"), Index, "found REINDEX without CONCURRENTLY, which blocks all "+
			"writes; "+
			"write REINDEX ... CONCURRENTLY, in a file with \"-- +goose NO TRANSACTION\"")
	case n.VacuumStmt != nil && has(n.VacuumStmt.Options, "full"):
		f.found(s, s.word("vacuum"), Rewrite,
			"found VACUUM FULL, which blocks the table while it rewrites it; remove it")
	case n.ClusterStmt != nil:
		f.found(s, s.word("cluster"), Rewrite,
			"found CLUSTER, which blocks the table while it rewrites it; remove it")
	case n.RefreshMatViewStmt != nil && !n.RefreshMatViewStmt.Concurrent:
		f.found(s, s.word("refresh"), Rewrite, "found REFRESH MATERIALIZED VIEW without CONCURRENTLY, "+
			"which blocks its readers; write CONCURRENTLY")
	case n.UpdateStmt != nil && !f.makes(n.UpdateStmt.Relation):
		f.bulk(s, "UPDATE", n.UpdateStmt.Relation)
	case n.DeleteStmt != nil && !f.makes(n.DeleteStmt.Relation):
		f.bulk(s, "DELETE", n.DeleteStmt.Relation)
	case n.MergeStmt != nil && !f.makes(n.MergeStmt.Relation):
		f.bulk(s, "MERGE", n.MergeStmt.Relation)
	}
}

// concurrently is the text for CONCURRENTLY in the wrong kind of file.
const concurrently = "found CONCURRENTLY in a file that runs in a transaction, where Postgres " +
	"refuses " +
	"it; write \"-- +goose NO TRANSACTION\" above \"-- +goose Up\""

// bulk refuses a write to the rows of an existing table.
func (f *file) bulk(s located, what string, r relation) {
	f.found(s, s.word(what), BulkWrite, "found %s of rows of %s, which blocks the application's "+
		"writes to "+
		"them until the file is done; declare a backfill, which runs in batches: backfill/*.json",
		what, r.Relname)
}

// altered refuses an ALTER TABLE that reads or rewrites the table.
func (f *file) altered(s located, table string, c alterTableCmd) {
	switch c.Subtype {
	case "AT_AlterColumnType":
		f.found(s, s.word(c.Name), TypeChange, "found a new type for %s, which blocks %s while it "+
			"rewrites "+
			"it, and breaks queries that rely on the old type; add a column of the new type in expand, "+
			"keep both in sync with a trigger, fill the new one with a backfill, and drop the old one in "+
			"contract",
			c.Name, table)
	case "AT_SetLogged", "AT_SetUnLogged", "AT_SetAccessMethod", "AT_SetTableSpace",
		"AT_SetExpression":
		f.found(s, s.word(table), Rewrite, "found a change that blocks %s while it rewrites it; copy "+
			"the rows into a new table with a backfill instead", table)
	case "AT_AddConstraint":
		f.constrained(s, table, *c.Def.Constraint)
	case "AT_AddColumn":
		for _, k := range c.Def.ColumnDef.Constraints {
			if k.Constraint != nil {
				f.constrained(s, table, *k.Constraint)
			}
		}
	case "AT_ValidateConstraint":
		if f.Transaction && f.adds(c.Name) {
			f.found(s, s.word("validate"), Constraint,
				"found VALIDATE CONSTRAINT %s in the transaction that adds it, whose lock is held until all "+
					"rows are read; put it into a file of its own, with a higher number", c.Name)
		}
	}
}

// constrained refuses a new constraint that reads the table or builds an index.
func (f *file) constrained(s located, table string, c constraint) {
	name := orName(c.Conname)

	switch c.Contype {
	case "CONSTR_UNIQUE", "CONSTR_PRIMARY":
		kind := map[string]string{"CONSTR_UNIQUE": "UNIQUE", "CONSTR_PRIMARY": "PRIMARY KEY"}[c.Contype]
		if c.Indexname == "" {
			f.found(s, c.Location, Constraint, "found a %s constraint, which blocks %s while it builds its "+
				"index; first CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS %s ... in a file with "+
				"\"-- +goose NO TRANSACTION\", then ADD CONSTRAINT %s %s USING INDEX %s in another file",
				kind, table, name, name, kind, name)
		}
	case "CONSTR_FOREIGN":
		if !c.SkipValidation {
			f.found(s, c.Location, Constraint, "found a foreign key without NOT VALID, which blocks writes "+
				"to both tables while it reads all of %s; ADD CONSTRAINT %s FOREIGN KEY ... NOT VALID, and "+
				"VALIDATE CONSTRAINT %s in a file of its own", table, name, name)
		}
	case "CONSTR_CHECK":
		if !c.SkipValidation {
			f.found(s, c.Location, Constraint, "found a check without NOT VALID, which blocks %s while it "+
				"reads all rows; ADD CONSTRAINT %s CHECK ... NOT VALID, and VALIDATE CONSTRAINT %s in a file "+
				"of its own", table, name, name)
		}
	case "CONSTR_EXCLUSION":
		f.found(s, c.Location, Constraint, "found an EXCLUDE constraint, which blocks %s while it "+
			"builds its index; add it to a new table, and fill that with a backfill", table)
	}
}

// adds tells whether the file adds a constraint of this name.
func (f *file) adds(name string) bool {
	for _, s := range f.statements {
		if s.down || s.node.AlterTableStmt == nil {
			continue
		}

		for _, cmd := range s.node.AlterTableStmt.Cmds {
			c := cmd.AlterTableCmd
			if c != nil && c.Subtype == "AT_AddConstraint" && c.Def.Constraint != nil &&
				c.Def.Constraint.Conname == name {
				return true
			}
		}
	}

	return false
}

// indexed refuses an index that blocks writes while it is built.
func (f *file) indexed(s located, i createIndex) {
	if f.makes(i.Relation) {
		return
	}

	unique := ""
	if i.Unique {
		unique = "UNIQUE "
	}

	switch {
	case !i.Concurrent:
		f.found(s, s.word("index"), Index, "found CREATE INDEX on %s without CONCURRENTLY, which blocks "+
			"writes to it; write CREATE %sINDEX CONCURRENTLY IF NOT EXISTS %s ..., in a file with "+
			"\"-- +goose NO TRANSACTION\"", i.Relation.Relname, unique, orName(i.Idxname))
	case f.Transaction:
		f.found(s, s.word("concurrently"), Index, concurrently)
	}
}

// orName is the name, or "name" in its place.
func orName(name string) string {
	if name == "" {
		return "name"
	}

	return name
}

// has tells whether a statement's options include one of this name.
func has(options []node, name string) bool {
	for _, o := range options {
		if o.DefElem != nil && o.DefElem.Defname == name {
			return true
		}
	}

	return false
}
