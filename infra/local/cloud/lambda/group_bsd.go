//go:build unix && !linux

package lambda

import "syscall"

// groupAttributes put a process into a group of its own. Should its parent die, it ends when it
// next finds its Runtime API gone.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
