//go:build !linux

package postgres

import "syscall"

// dieWithUs prevents that the server receives a Ctrl-C. Without Linux's parent-death signal, the
// server keeps running if this process is killed.
func dieWithUs(a *syscall.SysProcAttr) { a.Setpgid = true }
