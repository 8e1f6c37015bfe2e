// Command begin is the Lambda that takes the lock, or waits in the queue.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Begin, database.Begin) }
