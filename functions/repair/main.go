// Command repair is the Lambda that says what is inconsistent, and mends it.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Repair, database.Repair) }
