// Command ramp is the Lambda that sets the next weight and waits.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Ramp, wire.Ramp) }
