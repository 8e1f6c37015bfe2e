//go:build unix && !linux

package lambda

import "syscall"

// groupAttributes put a process into its own process group. If its parent dies, the process ends
// when it next calls its Runtime API.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
