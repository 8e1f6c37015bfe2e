package lint

// locks refuses what reads or rewrites a table while the application's queries wait for it.
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
		f.found(s, s.word("concurrently"), Index, "found CONCURRENTLY in a file that runs in a "+
			"transaction, where Postgres refuses it; write \"-- +goose NO TRANSACTION\" above \"-- +goose "+
			"Up\"")
	case n.ReindexStmt != nil && !has(n.ReindexStmt.Params, "concurrently"):
		f.found(s, s.word("reindex"), Index, "found REINDEX without CONCURRENTLY, during which nobody "+
			"can write; write REINDEX ... CONCURRENTLY, in a file with \"-- +goose NO TRANSACTION\"")
	case n.VacuumStmt != nil && has(n.VacuumStmt.Options, "full"):
		f.found(s, s.word("vacuum"), Rewrite, "found VACUUM FULL, which rewrites the table while "+
			"everybody waits; leave it out")
	case n.ClusterStmt != nil:
		f.found(s, s.word("cluster"), Rewrite, "found CLUSTER, which rewrites the table while everybody "+
			"waits; leave it out")
	case n.RefreshMatViewStmt != nil && !n.RefreshMatViewStmt.Concurrent:
		f.found(s, s.word("refresh"), Rewrite, "found REFRESH MATERIALIZED VIEW without CONCURRENTLY, "+
			"during which nobody can read it; write CONCURRENTLY")
	case n.UpdateStmt != nil && !f.makes(n.UpdateStmt.Relation):
		f.bulk(s, "UPDATE", n.UpdateStmt.Relation)
	case n.DeleteStmt != nil && !f.makes(n.DeleteStmt.Relation):
		f.bulk(s, "DELETE", n.DeleteStmt.Relation)
	case n.MergeStmt != nil && !f.makes(n.MergeStmt.Relation):
		f.bulk(s, "MERGE", n.MergeStmt.Relation)
	}
}

func (f *file) bulk(s located, what string, r relation) {
	f.found(s, s.word(what), BulkWrite, "found %s of rows of %s, which the application cannot change "+
		"until the whole file is done; declare a backfill, which goes in batches: backfill/*.json", what, r.Relname)
}

func (f *file) altered(s located, table string, c alterTableCmd) {
	switch c.Subtype {
	case "AT_AlterColumnType":
		f.found(s, s.word(c.Name), TypeChange, "found a new type for %s, which rewrites %s while "+
			"everybody waits, and under queries that know the old type; add a column of the new type in "+
			"expand, keep both in step with a trigger, fill it with a backfill, and drop the old one in "+
			"contract", c.Name, table)
	case "AT_SetLogged", "AT_SetUnLogged", "AT_SetAccessMethod", "AT_SetTableSpace", "AT_SetExpression":
		f.found(s, s.word(table), Rewrite, "found a change that rewrites %s while everybody waits; copy "+
			"it into a new table with a backfill instead", table)
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
				"found VALIDATE CONSTRAINT %s in the transaction that adds it, whose lock stays until all "+
					"rows are read; put it into a file of its own, with a higher number", c.Name)
		}
	}
}

func (f *file) constrained(s located, table string, c constraint) {
	name := c.Conname
	if name == "" {
		name = "name"
	}

	switch c.Contype {
	case "CONSTR_UNIQUE", "CONSTR_PRIMARY":
		kind := map[string]string{"CONSTR_UNIQUE": "UNIQUE", "CONSTR_PRIMARY": "PRIMARY KEY"}[c.Contype]
		if c.Indexname == "" {
			f.found(s, c.Location, Constraint, "found a %s constraint, which builds its index while "+
				"everybody waits for %s; first CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS %s ... in a "+
				"file with \"-- +goose NO TRANSACTION\", then ADD CONSTRAINT %s %s USING INDEX %s in another", kind, table, name, name, kind, name)
		}
	case "CONSTR_FOREIGN":
		if !c.SkipValidation {
			f.found(s, c.Location, Constraint, "found a foreign key without NOT VALID, which reads all of "+
				"%s while nobody can write to either table; ADD CONSTRAINT %s FOREIGN KEY ... NOT VALID, and "+
				"VALIDATE CONSTRAINT %s in a file of its own", table, name, name)
		}
	case "CONSTR_CHECK":
		if !c.SkipValidation {
			f.found(s, c.Location, Constraint, "found a check without NOT VALID, which reads all of %s "+
				"while everybody waits; ADD CONSTRAINT %s CHECK ... NOT VALID, and VALIDATE CONSTRAINT %s in "+
				"a file of its own", table, name, name)
		}
	case "CONSTR_EXCLUSION":
		f.found(s, c.Location, Constraint, "found an EXCLUDE constraint, which builds its index while "+
			"everybody waits for %s; put it on a new table and fill that with a backfill", table)
	}
}

// adds tells whether the file adds a constraint.
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
		f.found(s, s.word("index"), Index, "found CREATE INDEX on %s without CONCURRENTLY, during which "+
			"nobody can write to it; write CREATE %sINDEX CONCURRENTLY IF NOT EXISTS %s ..., in a file "+
			"with \"-- +goose NO TRANSACTION\"",
			i.Relation.Relname, unique, orName(i.Idxname))
	case f.Transaction:
		f.found(s, s.word("concurrently"), Index, "found CONCURRENTLY in a file that runs in a "+
			"transaction, where Postgres refuses it; write \"-- +goose NO TRANSACTION\" above \"-- +goose "+
			"Up\"")
	}
}

func orName(name string) string {
	if name == "" {
		return "name"
	}

	return name
}

// has tells whether an option is among those of a statement.
func has(options []node, name string) bool {
	for _, o := range options {
		if o.DefElem != nil && o.DefElem.Defname == name {
			return true
		}
	}

	return false
}
