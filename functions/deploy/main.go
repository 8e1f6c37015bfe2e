// Command deploy is the Lambda that puts the release into active.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Deploy, wire.Deploy) }
