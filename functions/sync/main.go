// Command sync is the Lambda that makes active carry what fallback carries.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Sync, wire.Sync) }
