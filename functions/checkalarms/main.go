// Command checkalarms is the Lambda that says what the metrics say of active.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.CheckAlarms, wire.CheckAlarms) }
