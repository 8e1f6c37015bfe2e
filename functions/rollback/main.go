// Command rollback is the Lambda that brings everyone back to fallback.
package main

import (
	"lockstep/functions/internal/wire"
	"lockstep/statemachine"
)

func main() { wire.Start(statemachine.Rollback, wire.Rollback) }
