// Command probe is the Lambda that calls active before any viewer does.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Probe, wire.Probe) }
