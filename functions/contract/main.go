// Command contract is the Lambda that narrows the schema.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
)

func main() { wire.Start(database.Contract) }
