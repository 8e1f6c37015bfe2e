// Command recover is the Lambda that finishes what a dead execution left.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Recover, wire.Recover) }
