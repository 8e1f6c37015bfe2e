// Command expand is the Lambda that widens the schema, and undoes that.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
)

func main() { wire.Start(database.Expand) }
