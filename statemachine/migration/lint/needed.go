package lint

import (
	"maps"
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// stillNeeded refuses a contract that drops a column or a table which a function of the bundle
// still reads. Postgres does not check the bodies of functions: it would drop the column, and
// every write would fail from then on. (It does check views and foreign keys: the rehearsal finds
// those.)
func stillNeeded(files []*file) {
	functions, triggers := remaining(files)

	for _, f := range files {
		if f.Phase != migration.Contract {
			continue
		}

		for _, s := range f.statements {
			if !s.down {
				f.needed(s, functions, triggers)
			}
		}
	}
}

// remaining are the bodies of the functions that exist after the contract, by name, and the
// functions of the triggers, by table and trigger.
func remaining(files []*file) (functions map[string]string,
	triggers map[string]map[string]string) {
	functions, triggers = map[string]string{}, map[string]map[string]string{}
	gone := map[string]bool{}

	for _, f := range files {
		for _, s := range f.statements {
			if s.down {
				continue
			}

			switch n := s.node; {
			case n.CreateFunctionStmt != nil:
				functions[last(n.CreateFunctionStmt.Funcname)] = n.CreateFunctionStmt.body()
				delete(gone, last(n.CreateFunctionStmt.Funcname))
			case n.CreateTrigStmt != nil:
				table := n.CreateTrigStmt.Relation.Relname
				if triggers[table] == nil {
					triggers[table] = map[string]string{}
				}

				triggers[table][n.CreateTrigStmt.Trigname] = last(n.CreateTrigStmt.Funcname)
			case n.DropStmt != nil:
				for _, o := range n.DropStmt.Objects {
					switch n.DropStmt.RemoveType {
					case "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE":
						gone[dropped(o)] = true
					case "OBJECT_TRIGGER":
						if names := names(o.List.Items); len(names) > 1 {
							delete(triggers[names[len(names)-2]], names[len(names)-1])
						}
					}
				}
			}
		}
	}

	for name := range gone {
		delete(functions, name)
	}

	return functions, triggers
}

// needed refuses a statement of a contract that drops what one of the functions reads.
func (f *file) needed(s located, functions map[string]string,
	triggers map[string]map[string]string) {
	const text = "found DROP of %s, but %s, which remains, reads it: every statement that calls it " +
		"would fail; drop or replace it first, here in contract"

	switch n := s.node; {
	case n.AlterTableStmt != nil:
		table := n.AlterTableStmt.Relation.Relname
		for _, cmd := range n.AlterTableStmt.Cmds {
			c := cmd.AlterTableCmd
			if c == nil || c.Subtype != "AT_DropColumn" {
				continue
			}

			column := s.word(c.Name)
			for trigger, function := range triggers[table] {
				if mentions(functions[function], c.Name) {
					f.found(s, column, StillNeeded, text, table+"."+c.Name,
						"the function "+function+" of the trigger "+trigger)
				}
			}

			for function, body := range functions {
				trigger := slices.Contains(slices.Collect(maps.Values(triggers[table])), function)
				if !trigger && mentions(body, table) && mentions(body, c.Name) {
					f.found(s, column, StillNeeded, text, table+"."+c.Name, "the function "+function)
				}
			}
		}
	case n.DropStmt != nil && n.DropStmt.RemoveType == "OBJECT_TABLE":
		for _, o := range n.DropStmt.Objects {
			for function, body := range functions {
				if mentions(body, dropped(o)) {
					f.found(s, s.word(dropped(o)), StillNeeded, text, "table "+dropped(o),
						"the function "+function)
				}
			}
		}
	}
}

// body is the function's code.
func (c *createFunction) body() string {
	var parts []string

	for _, o := range c.Options {
		if o.DefElem != nil && o.DefElem.Defname == "as" && o.DefElem.Arg != nil &&
			o.DefElem.Arg.List != nil {
			parts = append(parts, names(o.DefElem.Arg.List.Items)...)
		}
	}

	return strings.Join(parts, "\n")
}
