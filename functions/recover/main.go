// Command recover is the Lambda that finishes what a dead execution left.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Recover) }
