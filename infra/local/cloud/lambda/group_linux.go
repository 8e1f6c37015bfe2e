package lambda

import "syscall"

// groupAttributes put a process into its own process group, and end it with its parent.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
