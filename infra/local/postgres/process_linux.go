package postgres

import "syscall"

// dieWithUs ends the server when we die, however we die, and keeps a Ctrl-C that is meant for us
// from reaching it before we are done with it.
func dieWithUs(a *syscall.SysProcAttr) {
	a.Setpgid = true
	a.Pdeathsig = syscall.SIGQUIT
}
