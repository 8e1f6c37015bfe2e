// Command contract is the Lambda that narrows the schema.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Contract) }
