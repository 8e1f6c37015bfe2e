//go:build !linux

package postgres

import "syscall"

// dieWithUs keeps a Ctrl-C that is meant for us from reaching the server. Without Linux's
// parent-death signal a server outlives us where we are killed without warning.
func dieWithUs(a *syscall.SysProcAttr) { a.Setpgid = true }
