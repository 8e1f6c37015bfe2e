// Command begin is the Lambda that takes the lock, or waits in the queue.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/functions/internal/wire/database"
)

func main() { wire.Start(database.Begin) }
