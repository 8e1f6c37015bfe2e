// Command expand is the Lambda that widens the schema, and undoes that.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Expand, database.Expand) }
