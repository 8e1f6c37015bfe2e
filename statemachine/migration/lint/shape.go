package lint

import (
	"strings"

	"lockstep/statemachine/migration"
)

// shape refuses, in expand, what removes something that the old version may use, and in contract
// what removes something that the new version uses.
func (f *file) shape(s located) {
	n := s.node
	switch {
	case n.RenameStmt != nil:
		r := n.RenameStmt
		f.renamed(s, s.word("rename"), "RENAME "+object(r.RenameType))
	case n.AlterObjectSchemaStmt != nil:
		f.renamed(s, s.word("set"), "SET SCHEMA")
	case n.AlterEnumStmt != nil && n.AlterEnumStmt.OldVal != "":
		f.renamed(s, s.word("rename"), "RENAME VALUE")
	}

	if f.Phase != migration.Expand {
		return
	}

	switch {
	case n.DropStmt != nil && !f.replaces(n.DropStmt):
		f.found(s, s.word("drop"), Drop, "found DROP %s in expand, where the old version may still need "+
			"it; put it into contract", object(n.DropStmt.RemoveType))
	case n.DropdbStmt != nil, n.DropRoleStmt != nil, n.DropOwnedStmt != nil:
		f.found(s, s.word("drop"), Drop, "found DROP in expand, where the old version may still need "+
			"it; put it into contract")
	case n.TruncateStmt != nil:
		f.found(s, s.word("truncate"), Drop, "found TRUNCATE in expand, where the old version may still "+
			"need the rows; put it into contract")
	case n.AlterTableStmt != nil && !f.makes(n.AlterTableStmt.Relation):
		for _, cmd := range n.AlterTableStmt.Cmds {
			if cmd.AlterTableCmd != nil {
				f.narrowed(s, *cmd.AlterTableCmd)
			}
		}
	}
}

// renamed refuses a RENAME or the like: the version that is live would not find the object.
func (f *file) renamed(s located, at int, what string) {
	if f.Phase == migration.Expand {
		f.found(s, at, Rename, "found %s in expand, after which the old version no longer finds it; add "+
			"the new name beside the old one, keep both in sync with a trigger, fill the new one with a "+
			"backfill, and drop the old one in contract", what)

		return
	}

	f.found(s, at, StillNeeded, "found %s in contract, but the version that is live uses only one of "+
		"the two names; add the new name in the expand of a release that uses it, and drop the old one "+
		"in its contract", what)
}

// narrowed refuses a change of a table, in expand, after which the old version may fail.
func (f *file) narrowed(s located, c alterTableCmd) {
	switch c.Subtype {
	case "AT_DropColumn":
		f.found(s, s.word(c.Name), Drop, "found DROP COLUMN %s in expand, where the old version still "+
			"needs it; put it into contract", c.Name)
	case "AT_DropConstraint":
		f.found(s, s.word(c.Name), Drop, "found DROP CONSTRAINT %s in expand, on which the old version "+
			"may rely; put it into contract", c.Name)
	case "AT_ColumnDefault":
		if c.Def == nil {
			f.found(s, s.word(c.Name), Drop, "found DROP DEFAULT of %s in expand, on which the old "+
				"version's inserts may rely; put it into contract", c.Name)
		}
	case "AT_DropIdentity", "AT_DropExpression":
		f.found(s, s.word(c.Name), Drop, "found DROP IDENTITY or DROP EXPRESSION of %s in expand, on "+
			"which the old version's inserts rely; put it into contract", c.Name)
	case "AT_SetNotNull":
		f.found(s, s.word(c.Name), NotNull, "found SET NOT NULL of %s in expand, where the old version "+
			"may still write nulls; put it into contract", c.Name)
	case "AT_AddColumn":
		if d := c.Def.ColumnDef; d.has("CONSTR_NOTNULL") &&
			!d.has("CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED") && !d.serial() {
			f.found(s, d.Location, NotNull, "found ADD COLUMN %s NOT NULL without a default, which "+
				"existing rows and the old version's inserts violate; add it without NOT NULL, or with a "+
				"constant default, and SET NOT NULL in contract", d.Colname)
		}
	}
}

// replaces tells whether the file creates all objects of a DROP again.
func (f *file) replaces(d *drop) bool {
	for _, o := range d.Objects {
		name := dropped(o)

		made := false
		for _, s := range f.statements {
			made = made || !s.down && s.creates(name)
		}

		if !made {
			return false
		}
	}

	return true
}

// dropped is the name of an object of a DROP, without its schema or, for a trigger, its table.
func dropped(o node) string {
	switch {
	case o.List != nil:
		return last(o.List.Items)
	case o.ObjectWithArgs != nil:
		return last(o.ObjectWithArgs.Objname)
	case o.TypeName != nil:
		return last(o.TypeName.Names)
	case o.String != nil:
		return strings.ToLower(o.String.Sval)
	}

	return ""
}

// creates tells whether the statement creates an object of this name.
func (s located) creates(name string) bool {
	switch n := s.node; {
	case name == "":
		return false
	case n.CreateStmt != nil:
		return strings.EqualFold(n.CreateStmt.Relation.Relname, name)
	case n.CreateFunctionStmt != nil:
		return last(n.CreateFunctionStmt.Funcname) == name
	case n.CreateTrigStmt != nil:
		return strings.EqualFold(n.CreateTrigStmt.Trigname, name)
	case n.ViewStmt != nil:
		return strings.EqualFold(n.ViewStmt.View.Relname, name)
	case n.IndexStmt != nil:
		return strings.EqualFold(n.IndexStmt.Idxname, name)
	}

	return false
}

// makes tells whether the file creates the table. No query can wait for such a table, and it has
// only the file's own rows.
func (f *file) makes(r relation) bool {
	for _, s := range f.statements {
		if s.down {
			continue
		}

		if c := s.node.CreateStmt; c != nil && same(c.Relation, r) {
			return true
		}

		if c := s.node.CreateTableAsStmt; c != nil && same(c.Into.Rel, r) {
			return true
		}
	}

	return false
}

func same(a, b relation) bool { return a.Relname == b.Relname && a.Schemaname == b.Schemaname }

// object is the kind of an object as SQL names it: OBJECT_MATVIEW is a MATERIALIZED VIEW.
func object(kind string) string {
	words := strings.ReplaceAll(strings.TrimPrefix(kind, "OBJECT_"), "_", " ")
	switch words {
	case "MATVIEW":
		return "MATERIALIZED VIEW"
	case "TABCONSTRAINT":
		return "CONSTRAINT"
	case "ATTRIBUTE":
		return "ATTRIBUTE"
	}

	return words
}
