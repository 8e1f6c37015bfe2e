// Command rollback is the Lambda that brings everyone back to fallback.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Rollback) }
