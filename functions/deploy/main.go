// Command deploy is the Lambda that puts the release into active.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Deploy) }
