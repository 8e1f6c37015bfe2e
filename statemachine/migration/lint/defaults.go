package lint

import (
	"slices"
	"strings"
)

// defaults refuses a new column whose value differs from row to row: Postgres would rewrite the
// table.
func (f *file) defaults(s located) {
	a := s.node.AlterTableStmt
	if a == nil || f.makes(a.Relation) {
		return
	}

	for _, cmd := range a.Cmds {
		if cmd.AlterTableCmd == nil || cmd.AlterTableCmd.Subtype != "AT_AddColumn" {
			continue
		}

		if d := cmd.AlterTableCmd.Def.ColumnDef; d != nil {
			if what := d.differs(); what != "" {
				f.found(s, d.Location, VolatileDefault, "found ADD COLUMN %s with %s, which blocks %s while "+
					"Postgres rewrites it; add the column without it, ALTER COLUMN %s SET DEFAULT in a "+
					"statement of its own, and fill the existing rows with a backfill",
					d.Colname, what, a.Relation.Relname, d.Colname)
			}
		}
	}
}

// has tells whether the column has a constraint of one of the kinds.
func (d *columnDef) has(kinds ...string) bool {
	return slices.ContainsFunc(d.Constraints, func(n node) bool {
		return n.Constraint != nil && slices.Contains(kinds, n.Constraint.Contype)
	})
}

// serial tells whether the column's type is one of the serial types.
func (d *columnDef) serial() bool {
	return slices.Contains([]string{"serial", "bigserial", "smallserial", "serial2", "serial4",
		"serial8"}, last(d.TypeName.Names))
}

// differs is the part of a new column that gives each row another value; "" if there is none.
func (d *columnDef) differs() string {
	if d.serial() {
		return "the type " + last(d.TypeName.Names)
	}

	for _, n := range d.Constraints {
		c := n.Constraint
		switch {
		case c == nil:
		case c.Contype == "CONSTR_IDENTITY":
			return "an identity"
		case c.Contype == "CONSTR_GENERATED":
			return "a generated value"
		case c.Contype == "CONSTR_DEFAULT" && !steady(c.RawExpr):
			return "a default that may differ from row to row"
		}
	}

	return ""
}

// steady tells whether a default is the same for all rows: a constant, or a function that is known
// not to be volatile. An unknown function counts as volatile, since only the database knows.
func steady(n *node) bool {
	switch {
	case n == nil, n.A_Const != nil, n.SQLValueFunction != nil:
		return true
	case n.TypeCast != nil:
		return steady(n.TypeCast.Arg)
	case n.A_Expr != nil:
		return steady(n.A_Expr.Lexpr) && steady(n.A_Expr.Rexpr)
	case n.A_ArrayExpr != nil:
		return all(n.A_ArrayExpr.Elements)
	case n.CoalesceExpr != nil:
		return all(n.CoalesceExpr.Args)
	case n.MinMaxExpr != nil:
		return all(n.MinMaxExpr.Args)
	case n.BoolExpr != nil:
		return all(n.BoolExpr.Args)
	case n.FuncCall != nil:
		return slices.Contains(notVolatile, last(n.FuncCall.Funcname)) && all(n.FuncCall.Args)
	}

	return false
}

func all(nodes []node) bool {
	return !slices.ContainsFunc(nodes, func(n node) bool { return !steady(&n) })
}

// notVolatile are the functions of Postgres that are common in defaults and return the same value
// for every row of a statement. https://www.postgresql.org/docs/current/xfunc-volatility.html
var notVolatile = strings.Fields(`
	now transaction_timestamp statement_timestamp timezone date_trunc date_part extract age
	make_date make_time make_timestamp make_timestamptz make_interval
	to_timestamp to_date to_char to_number
	lower upper initcap length concat concat_ws format replace left right substr substring
	trim btrim ltrim rtrim lpad rpad repeat reverse split_part md5 encode decode
	abs round floor ceil ceiling trunc sign mod power
	json_build_object json_build_array jsonb_build_object jsonb_build_array to_json to_jsonb
	array_fill int4range int8range numrange tsrange tstzrange daterange
	current_setting current_schema current_database`)
