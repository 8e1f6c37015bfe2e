// Command promote is the Lambda that swaps the two roles.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Promote) }
