// Command contract is the Lambda that narrows the schema.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Contract, database.Contract) }
