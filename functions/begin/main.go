// Command begin is the Lambda that takes the lock, or waits in the queue.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Begin) }
