package postgres

import "syscall"

// dieWithUs ends the server when this process ends, even if it is killed. The server does not
// receive a Ctrl-C, so that this process can still use it while it stops.
func dieWithUs(a *syscall.SysProcAttr) {
	a.Setpgid = true
	a.Pdeathsig = syscall.SIGQUIT
}
