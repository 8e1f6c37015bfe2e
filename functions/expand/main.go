// Command expand is the Lambda that widens the schema, and undoes that.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Expand) }
