// Command promote is the Lambda that swaps the two roles.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Promote, wire.Promote) }
