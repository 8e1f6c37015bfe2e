// Command ramp is the Lambda that sets the next weight and waits.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Ramp) }
