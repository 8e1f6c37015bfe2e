// Command signal is the Lambda that notes alarms and operators' requests.
package main

import "lockstep/functions/internal/wire"

func main() { wire.Start(wire.Signal) }
