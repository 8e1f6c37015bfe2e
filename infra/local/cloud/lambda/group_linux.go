package lambda

import "syscall"

// groupAttributes put a process into a group of its own, and let it die with its parent.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
