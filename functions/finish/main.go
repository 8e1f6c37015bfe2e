// Command finish is the Lambda that records the end and hands the lock on.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Finish, wire.Finish) }
