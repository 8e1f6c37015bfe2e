// Command signal is the Lambda that notes alarms and operators' requests.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Signal, wire.Signal) }
