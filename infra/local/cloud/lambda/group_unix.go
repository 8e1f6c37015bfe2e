//go:build unix

package lambda

import (
	"os"
	"syscall"
)

func killGroup(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGKILL) }
