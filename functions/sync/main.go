// Command sync is the Lambda that makes active carry what fallback carries.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Sync) }
