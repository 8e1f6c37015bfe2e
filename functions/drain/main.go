// Command drain is the Lambda that looks whether anyone still calls the old environment.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Drain, wire.Drain) }
