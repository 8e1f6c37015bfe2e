// Command probe is the Lambda that calls active before any viewer does.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Probe) }
