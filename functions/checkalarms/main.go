// Command checkalarms is the Lambda that says what the metrics say of active.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.CheckAlarms) }
