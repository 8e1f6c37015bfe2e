package postgres

import "lockstep/statemachine/migration"

// table is the name of the phase's version table.
func table(p migration.Phase) string { return "lockstep_" + string(p) }
