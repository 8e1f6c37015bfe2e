// Command finish is the Lambda that records the end and hands the lock on.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Finish) }
